// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

/// From draft 18 on each request has a stream of its own.
@Suite("The streams of requests", .timeLimit(.minutes(1)))
struct RequestStreamTests {
    @Test("GOAWAY on the stream of a request is told with its request, once")
    func goawayOfRequest() throws {
        let handler = RecordingHandler()
        let harness = try RawHarness.established(.draft18, peer: .server, handler: handler)
        let consumer = CollectingConsumer()
        let subscription = harness.session.subscribe(SubscribeRequest(track: Harness.track), consumer: consumer) {
            consumer.responses.append($0)
        }
        harness.run()
        try harness.peer.reply(.subscribeOk(SubscribeOk(trackAlias: TrackAlias(7))))
        // Draft 18 has no request id there: a URI and a timeout.
        let uri = Array("moqt://x".utf8)
        let goaway: [UInt8] = [0x10, 0, UInt8(uri.count + 2), UInt8(uri.count)] + uri + [9]
        try #require(harness.peer.requests.last).send.write(Bytes(goaway))
        harness.run()
        #expect(handler.requestGoaways.map(\.request) == [subscription.requestID])
        let said = SessionGoaway(newSessionURI: "moqt://x", timeout: .milliseconds(9))
        #expect(handler.requestGoaways.map(\.goaway) == [said])
        #expect(handler.goaways.isEmpty)
        #expect(subscription.state == .active && !harness.session.isGoingAway)
        try #require(harness.peer.requests.last).send.write(Bytes(goaway))
        harness.run()
        #expect(handler.closures.map(\.code) == [.protocolViolation])
    }

    @Test(
        "A bidirectional stream that brings no whole message is given up after a while, and no other",
        arguments: Role.both
    )
    func silentStream(role: Role) throws {
        var configuration = MoQSessionConfiguration()
        configuration.firstMessageTimeout = .seconds(3)
        let harness = try RawHarness.established(.draft18, peer: role, configuration: configuration)
        let message = try harness.peer.bytes(
            .publishNamespace(PublishNamespace(requestID: harness.peerID(), namespace: NamespaceTests.space))
        )
        var streams: [SendStream] = []
        for count in [1, message.count - 1, message.count] {
            let stream = try harness.peer.transport.openBidirectionalStream(priority: .request).send
            streams.append(stream)
            try stream.write(Bytes(Array(message[..<count])))
            harness.run(.seconds(1))
        }
        let late = try harness.peer.transport.openBidirectionalStream(priority: .request).send
        try late.write(Bytes(Array(message[..<2])))
        harness.run(.milliseconds(500))
        #expect(streams.map(\.isClosed) == [true, false, false])
        #expect(harness.session.counters.streamsWithoutMessage == 1)
        harness.run(.seconds(1))
        #expect(streams.map(\.isClosed) == [true, true, false])
        #expect(!late.isClosed)
        harness.run(.seconds(2))
        #expect(late.isClosed)
        #expect(harness.session.counters.streamsWithoutMessage == 3)
        #expect(harness.handler.announcements.count == 1)
        #expect(harness.session.isOpen)
    }
}
