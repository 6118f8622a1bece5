// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@testable import MoQCommand

/// What `moq sub` does with its track, over a simulated link in virtual time.
@Suite("Subscribing for a time", .timeLimit(.minutes(1)))
struct SubscribingPeerTests {
    private static let name = FullTrackName(namespace: TrackNamespace(["a"]), name: "t")

    /// Publishes the track to whoever asks.
    private final class Publisher: MoQSessionHandler {
        private(set) var publisher: TrackPublisher?

        func sessionDidSetUp(_ session: MoQSession) {}
        func session(_ session: MoQSession, didReceive request: IncomingSubscribe) {
            self.publisher = request.accept()
        }
        func session(_ session: MoQSession, didReceive request: IncomingPublish) {}
        func session(_ session: MoQSession, didReceive request: IncomingPublishNamespace) {}
        func session(_ session: MoQSession, didReceive request: IncomingSubscribeNamespace) {}
        func session(_ session: MoQSession, didReceiveGoaway uri: String?, timeout: Duration?) {}
        func session(_ session: MoQSession, didClose closure: MoQSessionClosure) {}
    }

    @Test("When the time is over in the middle of a group, nothing is written behind it", arguments: DraftProfile.all)
    func endsInGroup(profile: DraftProfile) throws {
        let loop = ManualLoopDriver.makeLoop(label: "subscribing")
        let driver = ManualLoopDriver(loop: loop)
        let link = InMemoryLink(loop: loop)
        var text = ""
        var reports: [ReceptionReport] = []
        var receiver: TrackReceiver?
        let made = TrackReceiver(
            loop: loop,
            holding: 1 << 20,
            measuresLatency: false,
            deliver: { batch in text += batch.map { String(decoding: $0.array, as: UTF8.self) }.joined() },
            overflowed: {},
            ended: { _ in }
        )
        receiver = made
        let peer = SubscribingPeer(
            loop: loop,
            name: Self.name,
            displayName: "a t",
            filter: nil,
            wait: .zero,
            duration: .seconds(3),
            receiver: made
        ) { _ in
            if let receiver {
                reports.append(receiver.report)
            }
        }
        let publisher = Publisher()
        let handlers: [any MoQSessionHandler] = [publisher, peer]
        let sessions = zip([link.server, link.client], handlers).map { transport, handler in
            MoQSession(transport: transport, loop: loop, profile: profile, handler: handler)
        }
        for session in sessions {
            session.start()
        }
        driver.advance(by: .seconds(1))
        let track = try #require(publisher.publisher)
        let open = (0..<2).compactMap { track.beginSubgroup(SubgroupDescription(group: $0)) }
        for (stream, payload) in zip(open, ["first", "second"]) {
            let bytes = Bytes(utf8: payload)
            stream.beginObject(ObjectHeader(objectID: 0, payloadLength: UInt64(bytes.count)))
            stream.receive(payload: bytes)
        }
        open.last?.finish()
        driver.advance(by: .seconds(5))
        #expect(text == "first")
        #expect(reports.map(\.losses.withheldObjects) == [1])
        #expect(reports.first?.lossDescription == nil && reports.first?.withheldDescription != nil)
        for session in sessions {
            session.close()
        }
        driver.advance(by: .seconds(1))
        #expect(text == "first")
    }
}
