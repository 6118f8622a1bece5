// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("What an upstream relay tells of namespaces and tracks", .timeLimit(.minutes(1)))
struct UpstreamDiscoveryTests {
    private static func space(_ path: String) -> TrackNamespace {
        TrackNamespace(path: path)
    }

    @Test("Its namespaces are told below as they come and go, once each", arguments: DraftPair.all)
    func namespaces(_ drafts: DraftPair) {
        let scene = UpstreamScene(drafts.publisher)
        let above = scene.above()
        let one = above.announce("live/one")
        let local = scene.below()
        scene.settle()
        let followed = scene.below(drafts.subscriber).follow("live")
        scene.settle()
        #expect(followed.isAccepted)
        #expect(followed.events == [.published(Self.space("live/one"))])
        let two = above.announce("live/two")
        _ = above.announce("other")
        scene.settle()
        #expect(followed.events.last == .published(Self.space("live/two")))
        // What is announced here comes back from above, and is no news.
        let here = local.announce("live/two")
        let three = local.announce("live/three")
        scene.settle()
        #expect(followed.events.count == 3)
        #expect(followed.events.last == .published(Self.space("live/three")))
        two.publication?.withdraw()
        scene.settle()
        #expect(followed.events.count == 3, "it is still announced here")
        here.publication?.withdraw()
        three.publication?.withdraw()
        one.publication?.withdraw()
        scene.settle()
        scene.settle()
        #expect(followed.events.count == 6)
        #expect(
            Set(followed.events.suffix(3)) == [
                .withdrawn(Self.space("live/one")), .withdrawn(Self.space("live/two")),
                .withdrawn(Self.space("live/three")),
            ]
        )
        scene.closeAll()
    }

    @Test("It is asked for the shortest prefix only, and as long as anybody follows one", arguments: DraftProfile.all)
    func prefixes(_ profile: DraftProfile) {
        let scene = UpstreamScene(profile)
        _ = scene.above().announce("live/room/one")
        let client = scene.below()
        let long = client.follow("live/room")
        let same = scene.below().follow("live/room")
        scene.settle()
        #expect(scene.upper.counters.namespaceSubscriptions == 1)
        let short = scene.below().follow("live")
        scene.network.advance(.seconds(8))
        #expect(scene.upper.counters.live.namespaceSubscriptions == 1)
        let news: [NamespaceEvent] = [.published(Self.space("live/room/one"))]
        #expect(long.events == news, "what it was told was not taken back meanwhile")
        #expect(same.events == news)
        #expect(short.events == news)
        short.subscription?.cancel()
        same.subscription?.cancel()
        scene.settle()
        #expect(scene.upper.counters.live.namespaceSubscriptions == 1)
        long.subscription?.cancel()
        scene.settle()
        #expect(scene.upper.counters.live.namespaceSubscriptions == 0)
        let again = client.follow("live")
        scene.settle()
        #expect(again.events == news)
        scene.closeAll()
    }

    @Test(
        "When a follower moves, it is asked for the new prefix, and no more for the old one",
        arguments: DraftProfile.all
    )
    func moves(_ profile: DraftProfile) {
        let scene = UpstreamScene(profile)
        for path in ["live/room/one", "live/two", "other/three"] {
            _ = scene.above().announce(path)
        }
        let moving = scene.below().follow("live/room")
        let staying = scene.below().follow("live/room")
        scene.settle()
        let one = Self.space("live/room/one")
        moving.subscription?.update(prefix: Self.space("live"))
        scene.settle()
        #expect(moving.events == [.published(one), .published(Self.space("live/two"))])
        #expect(scene.upper.counters.live.namespaceSubscriptions == 1)
        moving.subscription?.update(prefix: Self.space("other"))
        scene.settle()
        #expect(Set(moving.subscription?.namespaces ?? []) == [Self.space("other/three")])
        #expect(moving.events.count == 5 && moving.events.last == .published(Self.space("other/three")))
        #expect(staying.events == [.published(one)])
        staying.subscription?.cancel()
        scene.settle()
        #expect(scene.upper.counters.live.namespaceSubscriptions == 1, "the old ones are not asked for any more")
        scene.closeAll()
    }

    @Test("When it is lost its namespaces are gone, and come back with it", arguments: DraftProfile.all)
    func loss(_ profile: DraftProfile) {
        let scene = UpstreamScene(profile)
        _ = scene.above().announce("live")
        let followed = scene.below().follow("")
        scene.settle()
        let live = Self.space("live")
        let isSaid = profile.messageForm != .fields
        #expect(followed.events == (isSaid ? [.published(live)] : []), "draft 14 has no empty prefix")
        scene.uplink.sever()
        scene.network.advance(.seconds(5))
        #expect(scene.uplink.readyCount == 2)
        #expect(followed.events == (isSaid ? [.published(live), .withdrawn(live), .published(live)] : []))
        scene.closeAll()
    }

    @Test("Its tracks are offered below to who asked for them, and flow when somebody wants them")
    func tracks() throws {
        let scene = UpstreamScene()
        let track = scene.above().publish("live")
        scene.settle()
        #expect(scene.lower.counters.live.tracks == 0, "nobody asked")
        let viewer = scene.below()
        let consumer = RecordingConsumer()
        viewer.onPublish = { $0.accept(forward: true, consumer: consumer) }
        let subscription = viewer.session.subscribeTracks(
            TrackNamespace(path: "live"),
            events: { _ in },
            response: { _ in }
        )
        scene.settle()
        #expect(viewer.publishes.count == 1)
        #expect(track.forward)
        track.send(group: 0, count: 3)
        let other = scene.above().publish("live", "other")
        scene.settle()
        #expect(consumer.completeLocations.count == 3)
        #expect(viewer.publishes.count == 2)
        #expect(other.results.count == 1)
        // What is published here does not come back.
        let local = scene.below().publish("live", "local")
        scene.settle()
        #expect(viewer.publishes.count == 3)
        #expect(scene.upper.counters.live.tracks == 3)
        local.send(group: 0, count: 1)
        track.end()
        scene.settle()
        #expect(consumer.ends.map(\.status) == [.trackEnded])
        subscription.cancel()
        scene.settle()
        #expect(scene.upper.counters.live.namespaceSubscriptions == 0)
        scene.closeAll()
    }

    @Test("It waits for a publisher as long as the subscribers below do")
    func rendezvous() throws {
        let scene = UpstreamScene()
        let name = FullTrackName(namespace: TrackNamespace(path: "live"), name: "track")
        let patient = scene.below().subscribe(name, parameters: SubscriptionParameters(rendezvousTimeout: 5_000))
        scene.settle()
        #expect(patient.results.isEmpty)
        #expect(scene.upper.counters.live.pendingSubscribers == 1)
        let impatient = scene.below().subscribe(name)
        scene.settle()
        #expect(impatient.refusal == .doesNotExist)
        scene.network.advance(.seconds(2))
        let publisher = scene.above()
        _ = publisher.announce("live")
        scene.settle()
        #expect(patient.answer != nil)
        try #require(publisher.tracks.first).send(group: 0, count: 2)
        scene.settle()
        #expect(patient.consumer.completeLocations.count == 2)
        scene.closeAll()
    }

    @Test("When nobody comes in time, here or there, the subscribers are told so, each in its time")
    func rendezvousTimeout() {
        let scene = UpstreamScene()
        let name = FullTrackName(namespace: TrackNamespace(path: "live"), name: "track")
        let first = scene.below().subscribe(name, parameters: SubscriptionParameters(rendezvousTimeout: 2_000))
        let second = scene.below().subscribe(name, parameters: SubscriptionParameters(rendezvousTimeout: 8_000))
        scene.network.advance(.seconds(3))
        #expect(first.refusal == .timeout)
        #expect(second.results.isEmpty)
        #expect(scene.upper.counters.live.pendingSubscribers == 1, "it was asked again for the other one")
        scene.network.advance(.seconds(6))
        #expect(second.refusal == .timeout)
        #expect(scene.upper.counters.live.pendingSubscribers == 0)
        #expect(scene.lower.counters.live.tracks == 0)
        scene.closeAll()
    }

    @Test("A publisher here is enough for who waits there, too")
    func rendezvousHere() throws {
        let scene = UpstreamScene()
        let name = FullTrackName(namespace: TrackNamespace(path: "live"), name: "track")
        let patient = scene.below().subscribe(name, parameters: SubscriptionParameters(rendezvousTimeout: 5_000))
        scene.settle()
        let track = scene.below().publish("live")
        scene.settle()
        #expect(patient.answer != nil)
        track.send(group: 0, count: 2)
        scene.network.advance(.seconds(6))
        #expect(patient.consumer.completeLocations.count == 2)
        #expect(patient.consumer.ends.isEmpty)
        #expect(scene.upper.counters.live.pendingSubscribers == 0)
        scene.closeAll()
    }
}
