// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Interop scenario: announce-subscribe", .timeLimit(.minutes(2)))
struct AnnounceSubscribeScenario {
    @Test("A subscription reaches the announcer, with forward state 1", arguments: DraftPair.all)
    func announceSubscribe(_ drafts: DraftPair) {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        let announced = publisher.announce("moq-test/a")
        let subscriber = world.connect(drafts.subscriber)
        world.settle()
        #expect(announced.isAccepted)
        let subscribed = subscriber.subscribe("moq-test/a", "track")
        world.settle()
        #expect(subscribed.answer != nil)
        #expect(publisher.subscribes.map(\.track.description) == ["moq.2dtest-a--track"])
        #expect(publisher.subscribes.map { $0.parameters.forward ?? true } == [true])
        world.closeAll()
    }
}
