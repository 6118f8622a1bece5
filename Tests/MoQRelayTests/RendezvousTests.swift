// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing

/// A SUBSCRIBE for a track that nobody publishes yet, whose subscriber is willing to wait (draft-18 §10.2.6).
@Suite("Waiting for a publisher", .timeLimit(.minutes(1)))
struct RendezvousTests {
    /// The drafts of the publisher; only draft 18 has the parameter for the subscriber.
    private static let publishers = DraftProfile.all

    private static let name = FullTrackName(namespace: TrackNamespace(path: "live/room"), name: "track")

    private func subscribe(_ client: TestClient, waiting milliseconds: UInt64?) -> Subscribed {
        client.subscribe(Self.name, parameters: SubscriptionParameters(rendezvousTimeout: milliseconds))
    }

    @Test("It is held, and goes on when the namespace is announced", arguments: publishers)
    func announced(_ profile: DraftProfile) throws {
        let world = RelayWorld()
        let subscribed = self.subscribe(world.connect(.draft18), waiting: 5_000)
        world.advance(.seconds(4))
        #expect(subscribed.results.isEmpty)
        #expect(world.live.pendingSubscribers == 1)
        let publisher = world.connect(profile)
        let other = publisher.announce("live/other")
        world.settle()
        #expect(other.isAccepted)
        #expect(publisher.subscribes.isEmpty, "that namespace has nothing to do with it")
        _ = publisher.announce("live")
        world.settle()
        #expect(subscribed.answer != nil)
        try #require(publisher.tracks.first).send(group: 0, count: 2)
        // The time that it was willing to wait passes, and means nothing any more.
        world.advance(.seconds(10))
        #expect(subscribed.consumer.locations.count == 2)
        #expect(subscribed.consumer.ends.isEmpty)
        world.closeAll()
    }

    @Test("It goes on when the track is offered with PUBLISH, and the offer is not passed on", arguments: publishers)
    func offered(_ profile: DraftProfile) throws {
        let world = RelayWorld()
        let viewer = world.connect(.draft18)
        let tracks = viewer.session.subscribeTracks(
            TrackNamespace(path: "live"),
            events: { _ in },
            response: { _ in }
        )
        let subscribed = self.subscribe(viewer, waiting: 5_000)
        world.settle()
        let track = world.connect(profile).publish("live/room")
        world.settle()
        #expect(subscribed.answer != nil)
        #expect(viewer.publishes.isEmpty)
        track.send(group: 0, count: 3)
        world.settle()
        #expect(subscribed.consumer.locations.count == 3)
        tracks.cancel()
        world.closeAll()
    }

    @Test("When nobody comes, the answer is TIMEOUT, at its time")
    func timeout() {
        let world = RelayWorld()
        let client = world.connect(.draft18)
        let other = world.connect(.draft18)
        let subscribed = self.subscribe(client, waiting: 500)
        let patient = self.subscribe(other, waiting: 2_000)
        world.advance(.milliseconds(490))
        #expect(subscribed.results.isEmpty)
        world.advance(.milliseconds(100))
        #expect(subscribed.refusal == .timeout)
        #expect(patient.results.isEmpty)
        world.advance(.seconds(2))
        #expect(patient.refusal == .timeout)
        #expect(world.live.tracks == 0)
        #expect(world.relay.counters.rendezvousTimeouts == 2)
        // And it may ask again.
        let again = self.subscribe(client, waiting: 100)
        world.settle()
        #expect(again.refusal == .timeout)
        world.closeAll()
    }

    @Test("Without the parameter, or with 0, the answer is DOES_NOT_EXIST, at once", arguments: [nil, 0] as [UInt64?])
    func atOnce(milliseconds: UInt64?) {
        let world = RelayWorld()
        let first = self.subscribe(world.connect(.draft18), waiting: milliseconds)
        world.settle()
        #expect(first.refusal == .doesNotExist)
        // Also when somebody else waits for the same track.
        let waiting = self.subscribe(world.connect(.draft18), waiting: 5_000)
        world.settle()
        let second = self.subscribe(world.connect(.draft18), waiting: milliseconds)
        world.settle()
        #expect(second.refusal == .doesNotExist)
        #expect(waiting.results.isEmpty)
        world.closeAll()
    }

    @Test("The relay waits no longer than it is configured to", arguments: [Duration.zero, .seconds(1)])
    func limit(_ limit: Duration) {
        let world = RelayWorld(MoQRelayConfiguration(maximumRendezvousTime: limit))
        let subscribed = self.subscribe(world.connect(.draft18), waiting: UInt64(1) << 61)
        world.settle()
        #expect(subscribed.results.isEmpty == (limit > .zero))
        world.advance(.seconds(1))
        #expect(subscribed.refusal == (limit > .zero ? .timeout : .doesNotExist))
        world.closeAll()
    }

    @Test("It is held on when who is asked does not have the track", arguments: publishers)
    func held(_ profile: DraftProfile) throws {
        let world = RelayWorld()
        let ignorant = world.connect(profile)
        ignorant.onSubscribe = { $0.reject(.doesNotExist) }
        _ = ignorant.announce("live")
        let patient = self.subscribe(world.connect(.draft18), waiting: 3_000)
        let impatient = self.subscribe(world.connect(.draft18), waiting: nil)
        world.settle()
        #expect(ignorant.subscribes.count == 1)
        #expect(impatient.refusal == .doesNotExist)
        #expect(patient.results.isEmpty)
        world.advance(.seconds(1))
        let publisher = world.connect(profile)
        _ = publisher.announce("live/room")
        world.settle()
        #expect(patient.answer != nil)
        try #require(publisher.tracks.first).send(group: 0, count: 1)
        world.settle()
        #expect(patient.consumer.locations.count == 1)
        world.closeAll()
    }

    @Test("What the publisher that came says is passed on", arguments: publishers)
    func refused(_ profile: DraftProfile) {
        let world = RelayWorld()
        let subscribed = self.subscribe(world.connect(.draft18), waiting: 5_000)
        world.settle()
        let publisher = world.connect(profile)
        publisher.onSubscribe = { $0.reject(.unauthorized) }
        _ = publisher.announce("live")
        world.settle()
        #expect(subscribed.refusal == .unauthorized)
        #expect(world.live.tracks == 0)
        world.closeAll()
    }

    @Test("Who cancels or leaves is not waited for any more")
    func cancelled() {
        let world = RelayWorld()
        let first = self.subscribe(world.connect(.draft18), waiting: 60_000)
        let leaving = world.connect(.draft18)
        _ = self.subscribe(leaving, waiting: 60_000)
        world.settle()
        #expect(world.live.pendingSubscribers == 2)
        first.subscription?.cancel()
        world.disconnect(leaving)
        #expect(world.live.pendingSubscribers == 0)
        #expect(world.live.tracks == 0)
        let publisher = world.connect(.draft18)
        _ = publisher.announce("live")
        world.settle()
        #expect(publisher.subscribes.isEmpty)
        world.closeAll()
    }
}
