// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing

@Suite("Upstream relays", .timeLimit(.minutes(1)))
struct UpstreamTests {
    private static let name = FullTrackName(namespace: TrackNamespace(path: "live"), name: "track")

    @Test(
        "What is published at the upstream relay reaches the subscribers below, once over the link",
        arguments: DraftPair.all
    )
    func subscribe(_ drafts: DraftPair) throws {
        let scene = UpstreamScene(drafts.publisher)
        let publisher = scene.above(drafts.publisher)
        _ = publisher.announce("live")
        #expect(scene.uplink.events == [.ready(drafts.publisher.version)])
        let first = scene.below(drafts.subscriber)
        let second = scene.below(drafts.subscriber)
        let one = first.subscribe("live")
        scene.settle()
        let two = second.subscribe("live")
        scene.settle()
        #expect(one.answer != nil)
        #expect(two.answer != nil)
        try #require(publisher.tracks.first).send(group: 0, count: 5)
        scene.settle()
        #expect(one.consumer.completeLocations == locations((0..<5).map { (0, $0) }))
        #expect(two.consumer.objects == one.consumer.objects)
        #expect(publisher.subscribes.count == 1)
        #expect(scene.upper.counters.live.subscribers == 1)
        #expect(scene.lower.counters.upstreamSubscribes == 1)
        one.subscription?.cancel()
        two.subscription?.cancel()
        scene.settle()
        #expect(scene.upper.counters.live.subscribers == 0)
        #expect(scene.lower.counters.live.tracks == 0)
        scene.closeAll()
    }

    @Test("What nobody has is refused with the upstream relay's answer", arguments: DraftPair.all)
    func unknown(_ drafts: DraftPair) {
        let scene = UpstreamScene(drafts.publisher)
        let publisher = scene.above(drafts.publisher)
        publisher.onSubscribe = { $0.reject(.unauthorized) }
        _ = publisher.announce("secret")
        let client = scene.below(drafts.subscriber)
        let unknown = client.subscribe("live")
        let secret = client.subscribe("secret")
        scene.settle()
        #expect(unknown.refusal == .doesNotExist)
        #expect(secret.refusal == .unauthorized)
        scene.closeAll()
    }

    @Test("FETCH and TRACK_STATUS are answered by the upstream relay", arguments: DraftPair.all)
    func fetchAndStatus(_ drafts: DraftPair) throws {
        let scene = UpstreamScene(drafts.publisher)
        let publisher = scene.above(drafts.publisher)
        _ = publisher.announce("live")
        let viewer = scene.above(drafts.publisher)
        let viewed = viewer.subscribe("live")
        scene.settle()
        let track = try #require(publisher.tracks.first)
        let stream = try #require(track.open(group: 0, containsEndOfGroup: true))
        for object in 0..<4 {
            stream.send(object: UInt64(object), size: 8)
        }
        stream.finish()
        scene.settle()
        #expect(viewed.consumer.completeLocations.count == 4)
        let client = scene.below(drafts.subscriber)
        let other = scene.below(drafts.subscriber)
        let fetched = client.fetch("live", through: .group(0))
        var largest: [Location?] = []
        for asking in [client, other] {
            asking.session.trackStatus(of: Self.name) { result in
                largest.append(try? result.get().largestObject)
            }
        }
        scene.settle()
        #expect(fetched.results.count == 1)
        #expect(fetched.events.count == 4)
        #expect(fetched.outcomes.count == 1)
        #expect(largest == [Location(group: 0, object: 3), Location(group: 0, object: 3)])
        #expect(publisher.fetches.isEmpty, "the upper relay has it")
        scene.closeAll()
    }

    @Test(
        "The upstream relay hears of what is announced below, before and after it was connected",
        arguments: DraftPair.all
    )
    func announce(_ drafts: DraftPair) throws {
        let scene = UpstreamScene(drafts.subscriber, isJoined: false)
        let early = scene.below(drafts.publisher)
        _ = early.announce("early")
        scene.settle()
        scene.join()
        let late = scene.below(drafts.publisher)
        let announced = late.announce("late")
        let again = early.announce("late")
        scene.settle()
        #expect(again.isAccepted)
        #expect(scene.upper.counters.live.namespaces == 2)
        let viewer = scene.above(drafts.subscriber)
        let one = viewer.subscribe("early")
        scene.settle()
        #expect(one.answer != nil)
        try #require(early.tracks.first).send(group: 0, count: 3)
        scene.settle()
        #expect(one.consumer.completeLocations.count == 3)
        announced.publication?.withdraw()
        scene.settle()
        #expect(scene.upper.counters.live.namespaces == 2, "the other one still announces it")
        scene.settle()
        again.publication?.withdraw()
        scene.settle()
        #expect(scene.upper.counters.live.namespaces == 1)
        _ = late.announce("late")
        scene.settle()
        #expect(scene.upper.counters.live.namespaces == 2)
        scene.closeAll()
    }

    @Test("A track that is offered below with PUBLISH alone is offered to the upstream relay", arguments: DraftPair.all)
    func publish(_ drafts: DraftPair) {
        let scene = UpstreamScene(drafts.subscriber, isJoined: false)
        let publisher = scene.below(drafts.publisher)
        let before = publisher.publish("live", "before")
        scene.settle()
        scene.join()
        let after = publisher.publish("live", "after")
        scene.settle()
        #expect(scene.upper.counters.live.tracks == 2)
        #expect(!before.forward, "nobody wants it")
        let viewer = scene.above(drafts.subscriber)
        let one = viewer.subscribe("live", "before")
        let two = viewer.subscribe("live", "after")
        scene.settle()
        #expect(before.forward)
        before.send(group: 0, count: 2)
        after.send(group: 0, count: 3)
        scene.settle()
        #expect(one.consumer.completeLocations.count == 2)
        #expect(two.consumer.completeLocations.count == 3)
        before.end()
        scene.settle()
        #expect(one.consumer.ends.map(\.status) == [.trackEnded])
        scene.closeAll()
    }

    @Test("A publisher below is asked first, and the upstream relay when it does not have the track")
    func order() {
        let scene = UpstreamScene()
        let above = scene.above()
        _ = above.announce("live")
        let below = scene.below()
        below.onSubscribe = { [unowned below] request in
            guard request.track.name == Array("here".utf8) else {
                request.reject(.doesNotExist)
                return
            }
            let track = TestTrack()
            track.use(request.accept())
            below.adopt(track)
        }
        _ = below.announce("live")
        scene.settle()
        let client = scene.below()
        let here = client.subscribe("live", "here")
        let there = client.subscribe("live", "there")
        scene.settle()
        #expect(here.answer != nil)
        #expect(there.answer != nil)
        #expect(below.subscribes.count == 2, "what was asked for above has not come back")
        #expect(above.subscribes.map(\.track.name) == [Array("there".utf8)])
        scene.closeAll()
    }

    @Test("What the upstream relay asks for is not asked of it", arguments: DraftProfile.all)
    func notBack(_ profile: DraftProfile) {
        let scene = UpstreamScene(profile)
        let below = scene.below()
        below.onSubscribe = { $0.reject(.doesNotExist) }
        _ = below.announce("live")
        scene.settle()
        let viewer = scene.above()
        let viewed = viewer.subscribe("live")
        let fetched = viewer.fetch("live", "other", through: .group(3))
        scene.network.advance(.milliseconds(100))
        #expect(viewed.refusal == .doesNotExist)
        #expect(fetched.results.count == 1)
        #expect(scene.upper.counters.upstreamSubscribes == 1)
        #expect(scene.lower.counters.upstreamSubscribes == 1)
        scene.closeAll()
    }

    @Test("Two relays that ask each other for the same track at once do not wait for each other")
    func crossing() {
        let scene = UpstreamScene()
        let below = scene.below()
        below.onSubscribe = { $0.reject(.doesNotExist) }
        _ = below.announce("live")
        scene.settle()
        let viewer = scene.above()
        let client = scene.below()
        let one = viewer.subscribe("live")
        let two = client.subscribe("live")
        scene.settle()
        #expect(one.refusal == .doesNotExist)
        #expect(two.refusal == .doesNotExist)
        scene.closeAll()
    }

    @Test("Of two upstream relays the second is asked when the first does not have the track, or is gone")
    func two() throws {
        let network = RelayNetwork()
        let first = network.relay()
        let second = network.relay()
        let lower = network.relay()
        let publisher = network.client(of: first)
        _ = publisher.announce("live")
        let other = network.client(of: second)
        _ = other.announce("live")
        _ = other.announce("more")
        network.settle()
        let uplink = network.join(lower, to: first)
        _ = network.join(lower, to: second)
        let client = network.client(of: lower)
        let live = client.subscribe("live")
        let more = client.subscribe("more")
        network.settle()
        #expect(publisher.subscribes.count == 1)
        #expect(other.subscribes.map(\.track.namespace) == [TrackNamespace(path: "more")])
        #expect(more.answer != nil)
        uplink.isReachable = false
        uplink.sever()
        network.settle()
        try #require(other.tracks.last).send(group: 0, count: 2)
        network.settle()
        #expect(live.consumer.completeLocations.count == 2)
        #expect(live.consumer.ends.isEmpty)
        network.closeAll()
    }
}
