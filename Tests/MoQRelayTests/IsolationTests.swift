// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("One session's faults are its own", .timeLimit(.minutes(2)))
struct IsolationTests {
    private static func sendGarbage(_ client: TestClient) throws {
        let stream = try client.transport.openUnidirectionalStream(priority: .control)
        try stream.write(Bytes([0x2a, 0xff, 0x00, 0x17, 0x42, 0x99]))
    }

    @Test("Garbage closes the session it came in, and nobody else notices", arguments: DraftPair.all)
    func garbageFromSubscriber(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        _ = publisher.announce("live")
        let good = world.connect(drafts.subscriber)
        let bad = world.connect(drafts.subscriber)
        world.settle()
        let kept = good.subscribe("live")
        _ = bad.subscribe("live")
        _ = bad.follow("live")
        world.settle()
        let stream = try #require(publisher.tracks.first?.open(group: 0))
        stream.send(object: 0, size: 10)
        world.settle()
        try Self.sendGarbage(bad)
        world.settle()
        #expect(bad.closures.map(\.code) == [.protocolViolation])
        #expect(!good.isClosed)
        #expect(!publisher.isClosed)
        #expect(world.live.sessions == 2)
        #expect(world.live.subscribers == 1)
        #expect(world.live.namespaceSubscriptions == 0)
        stream.send(object: 1, size: 10)
        stream.finish()
        world.settle()
        #expect(kept.consumer.completeLocations.count == 2)
        #expect(kept.consumer.streamEnds == [.finished])
        world.closeAll()
    }

    @Test("A publisher's garbage ends its tracks, not its subscribers' sessions", arguments: DraftPair.all)
    func garbageFromPublisher(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let bad = world.connect(drafts.publisher)
        let other = world.connect(drafts.publisher)
        _ = bad.announce("bad")
        _ = other.announce("good")
        let subscriber = world.connect(drafts.subscriber)
        world.settle()
        let lost = subscriber.subscribe("bad")
        let kept = subscriber.subscribe("good")
        world.settle()
        try #require(bad.tracks.first?.open(group: 0)).send(object: 0, size: 10)
        world.settle()
        try Self.sendGarbage(bad)
        world.settle()
        #expect(bad.closures.map(\.code) == [.protocolViolation])
        #expect(lost.consumer.ends.map(\.status) == [.internalError])
        #expect(kept.consumer.ends.isEmpty)
        #expect(!subscriber.isClosed)
        try #require(other.tracks.first).send(group: 0, count: 3)
        world.settle()
        #expect(kept.consumer.completeLocations.count == 3)
        world.closeAll()
    }
}
