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

    @Test("The subscribers of one track are asked to get it elsewhere, as far as their draft can say so")
    func movedSubscribers() throws {
        let world = RelayWorld()
        let publisher = world.connect(.draft16)
        _ = publisher.announce("live")
        world.settle()
        let clients = [DraftProfile.draft18, .draft18, .draft16].map { world.connect($0) }
        let subscribed = clients.map { $0.subscribe("live") }
        let other = clients[0].subscribe("live", "other")
        world.settle()
        let name = FullTrackName(namespace: TrackNamespace(path: "live"), name: "track")
        let move = { world.relay.moveSubscribers(of: name, to: "moqt://elsewhere", timeout: .seconds(2)) }
        #expect([move(), move()] == [2, 0])
        world.settle()
        let said = SessionGoaway(newSessionURI: "moqt://elsewhere", timeout: .seconds(2))
        #expect(clients.map(\.requestGoaways) == [[said], [said], []])
        // It flows until the subscriber has what it wants from there, or the time is over.
        let track = try #require(publisher.tracks.first { $0.publisher?.track == name })
        track.send(group: 0, count: 2)
        world.settle()
        #expect(subscribed.map(\.consumer.completeLocations.count) == [2, 2, 2])
        subscribed[0].subscription?.cancel()
        world.advance(.seconds(2))
        #expect(subscribed[1].consumer.ends.map(\.cause) == [.cancelledByPeer])
        #expect(subscribed[2].consumer.ends.isEmpty && other.consumer.ends.isEmpty)
        #expect(world.live.subscribers == 2)
        #expect(clients.allSatisfy { !$0.isClosed && $0.goaways.isEmpty })
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
