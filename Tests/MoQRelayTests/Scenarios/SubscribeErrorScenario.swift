// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Interop scenarios: subscribe-error and subscribe-before-announce", .timeLimit(.minutes(2)))
struct SubscribeErrorScenario {
    @Test("A track that nobody publishes does not exist", arguments: DraftProfile.all)
    func subscribeError(_ draft: DraftProfile) {
        let world = RelayWorld()
        let client = world.connect(draft)
        let subscribed = client.subscribe("nonexistent/namespace", "test-track")
        world.settle()
        #expect(subscribed.refusal == .doesNotExist)
        #expect(world.live.tracks == 0)
        #expect(world.relay.counters.tracksNotFound == 1)
        world.closeAll()
    }

    @Test("A subscription before the announcement is refused at once, not held", arguments: DraftPair.all)
    func subscribeBeforeAnnounce(_ drafts: DraftPair) {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        let subscriber = world.connect(drafts.subscriber)
        let early = subscriber.subscribe("moq-test/late")
        world.settle()
        #expect(early.refusal == .doesNotExist)
        let announced = publisher.announce("moq-test/late")
        world.settle()
        #expect(announced.isAccepted)
        #expect(publisher.subscribes.isEmpty)
        // The refusal leaves nothing behind that would stand in the way of another try.
        let later = subscriber.subscribe("moq-test/late")
        world.settle()
        #expect(later.answer != nil)
        world.closeAll()
    }

    @Test("The publisher's refusal reaches the subscriber", arguments: DraftPair.all)
    func publisherRefuses(_ drafts: DraftPair) {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        publisher.onSubscribe = { $0.reject(.doesNotExist, reason: "no such track") }
        _ = publisher.announce("moq-test")
        let subscriber = world.connect(drafts.subscriber)
        let subscribed = subscriber.subscribe("moq-test", "missing")
        world.settle()
        #expect(subscribed.refusal == .doesNotExist)
        #expect(world.live.tracks == 0)
        #expect(world.live.upstreams == 0)
        world.closeAll()
    }
}
