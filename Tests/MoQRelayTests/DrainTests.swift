// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Drain", .timeLimit(.minutes(2)))
struct DrainTests {
    @Test("GOAWAY goes to everybody; what stands goes on; what is new is refused", arguments: DraftPair.all)
    func goaway(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        _ = publisher.announce("live")
        let subscriber = world.connect(drafts.subscriber)
        world.settle()
        let subscribed = subscriber.subscribe("live")
        world.settle()
        var completions = 0
        world.relay.drain(timeout: .seconds(5)) { completions += 1 }
        // Sent before the GOAWAY can have arrived.
        let late = subscriber.subscribe("live", "another")
        let announced = publisher.announce("more")
        world.settle()
        #expect(publisher.goaways.count == 1)
        #expect(subscriber.goaways.count == 1)
        #expect(late.refusal == (drafts.subscriber.version == .draft18 ? .goingAway : .internalError))
        #expect(!announced.isAccepted)
        #expect(announced.results.count == 1)
        try #require(publisher.tracks.first).send(group: 0, count: 2)
        world.settle()
        #expect(subscribed.consumer.completeLocations.count == 2)
        #expect(completions == 0)
        #expect(world.relay.isDraining)

        subscriber.session.close(.noError, reason: "")
        world.settle()
        #expect(completions == 0)
        publisher.session.close(.noError, reason: "")
        world.settle()
        #expect(completions == 1)
        world.advance(.seconds(10))
        #expect(completions == 1)
        world.closeAll()
    }

    @Test("A session whose setup is under way when the drain begins hears of it", arguments: DraftProfile.all)
    func duringSetup(_ draft: DraftProfile) {
        let world = RelayWorld()
        let publisher = world.connect(draft)
        _ = publisher.announce("live")
        world.settle()
        let client = world.begin(draft)
        world.relay.drain(timeout: .seconds(5))
        let subscribed = client.subscribe("live")
        world.settle()
        #expect(client.isSetUp)
        #expect(client.goaways.count == 1)
        #expect(subscribed.results.count == 1)
        #expect(subscribed.answer == nil)
        #expect(publisher.subscribes.isEmpty)
        world.closeAll()
    }

    @Test("A SUBSCRIBE that waits for a publisher is refused, and keeps nobody waiting")
    func held() {
        let world = RelayWorld()
        let client = world.connect(.draft18)
        let name = FullTrackName(namespace: TrackNamespace(path: "live"), name: "track")
        let held = client.subscribe(name, parameters: SubscriptionParameters(rendezvousTimeout: 60_000))
        world.settle()
        #expect(held.results.isEmpty)
        world.relay.drain(timeout: .seconds(5))
        world.settle()
        #expect(held.refusal == .goingAway)
        #expect(world.live.tracks == 0)
        #expect(world.live.pendingSubscribers == 0)
        world.closeAll()
    }

    @Test("Who stays is closed at the deadline", arguments: DraftProfile.all)
    func deadline(_ draft: DraftProfile) {
        let world = RelayWorld()
        let busy = world.connect(draft)
        let idle = world.connect(draft)
        _ = busy.announce("live")
        world.settle()
        var completions = 0
        world.relay.drain(timeout: .seconds(3)) { completions += 1 }
        world.advance(.seconds(2))
        #expect(!busy.isClosed)
        #expect(completions == 0)
        world.advance(.seconds(2))
        #expect(completions == 1)
        #expect(busy.closures.map(\.code) == [.goawayTimeout])
        #expect(idle.closures.map(\.code) == [.noError])
        #expect(world.live.sessions == 0)
        world.closeAll()
    }

    @Test("A relay without sessions is drained at once, and takes none afterwards", arguments: DraftProfile.all)
    func empty(_ draft: DraftProfile) {
        let world = RelayWorld()
        var completions = 0
        world.relay.drain(timeout: .seconds(3)) { completions += 1 }
        #expect(completions == 1)
        let client = world.connect(draft)
        #expect(client.isClosed)
        #expect(!client.isSetUp)
        #expect(world.live.sessions == 0)
        #expect(world.relay.counters.sessionsRefused == 1)
        world.closeAll()
    }
}
