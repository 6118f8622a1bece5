// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@testable import MoQRelay

/// An upstream relay that one shard is connected to, for all of them.
@Suite("Upstream relays behind a shard", .timeLimit(.minutes(1)))
struct ShardGatewayTests {
    /// Three shards, of which the first has an upstream relay, which lives on the same loop.
    private struct Scene {
        let world = ShardWorld(3, gateway: 0)
        let upper: MoQRelay
        let uplink: Uplink

        init() {
            let loop = self.world.drivers[0].loop
            self.upper = MoQRelay(loop: loop)
            self.uplink = Uplink(loop: loop, profile: .draft18, to: self.upper)
            self.uplink.add(to: self.world.relays[0])
            self.world.settle()
        }

        /// Connects a client to the upstream relay.
        func above() -> TestClient {
            let loop = self.upper.loop
            let link = InMemoryLink(loop: loop)
            let client = TestClient(
                transport: link.client,
                loop: loop,
                profile: .draft18,
                configuration: MoQSessionConfiguration(),
                link: link
            )
            self.upper.accept(link.server, profile: .draft18)
            client.session.start()
            self.world.settle()
            return client
        }

        /// Ends everything above, and then the rest.
        func closeAll(_ clients: TestClient...) {
            for client in clients {
                client.session.close(.noError, reason: "")
            }
            self.uplink.isReachable = false
            self.upper.close()
            self.world.settle()
            #expect(self.upper.counters.live == MoQRelayCounters.Live())
            self.world.closeAll()
        }
    }

    @Test("What is published above reaches clients of every shard, once over the link")
    func above() throws {
        let scene = Scene()
        let publisher = scene.above()
        _ = publisher.announce("live")
        scene.world.settle()
        let subscribed = [0, 1, 2].map { scene.world.connect($0).subscribe("live") }
        scene.world.settle()
        #expect(subscribed.allSatisfy { $0.answer != nil })
        #expect(publisher.subscribes.count == 1)
        #expect(scene.upper.counters.live.subscribers == 1)
        try #require(publisher.tracks.first).send(group: 0, count: 3)
        scene.world.settle()
        for one in subscribed {
            #expect(one.consumer.completeLocations.count == 3)
        }
        #expect(scene.world.counters.objectsCrossed == 6)
        let unknown = scene.world.connect(2).subscribe("nobody")
        scene.world.settle()
        #expect(unknown.refusal == .doesNotExist)
        scene.closeAll(publisher)
    }

    @Test("What is published at any shard is known above, and asked of that shard")
    func below() throws {
        let scene = Scene()
        let publisher = scene.world.connect(2)
        _ = publisher.announce("live")
        let offered = scene.world.connect(1).publish("shown")
        scene.world.settle()
        let viewer = scene.above()
        let subscribed = [viewer.subscribe("live"), viewer.subscribe("shown")]
        scene.world.settle()
        #expect(subscribed.allSatisfy { $0.answer != nil })
        #expect(offered.forward)
        try #require(publisher.tracks.first).send(group: 0, count: 2)
        offered.send(group: 0, count: 3)
        scene.world.settle()
        #expect(subscribed.map(\.consumer.completeLocations.count) == [2, 3])
        #expect(publisher.subscribes.count == 1)
        scene.closeAll(viewer)
    }

    @Test("Who follows a prefix at another shard hears of what exists above, once")
    func follow() {
        let scene = Scene()
        let publisher = scene.above()
        let announced = publisher.announce("live/above")
        scene.world.settle()
        let followers = [0, 1].map { scene.world.connect($0).follow("live") }
        scene.world.settle()
        let own = scene.world.connect(1).announce("live/above")
        scene.world.settle()
        for follower in followers {
            #expect(follower.events == [.published(TrackNamespace(path: "live/above"))])
        }
        own.publication?.withdraw()
        scene.world.settle()
        for follower in followers {
            #expect(follower.events.count == 1)
        }
        announced.publication?.withdraw()
        scene.world.settle()
        for follower in followers {
            #expect(follower.events.dropFirst() == [.withdrawn(TrackNamespace(path: "live/above"))])
        }
        scene.closeAll(publisher)
    }

    @Test("Who moves on to another prefix hears of what there is at other shards, and above over another shard")
    func moves() {
        let scene = Scene()
        let publishers = [scene.above(), scene.world.connect(0), scene.world.connect(2)]
        for (number, publisher) in publishers.enumerated() {
            _ = publisher.announce("old/\(number)")
            _ = publisher.announce("new/\(number)")
        }
        scene.world.settle()
        let follower = scene.world.connect(1).follow("old")
        scene.world.settle()
        #expect(Set(follower.events) == Set((0..<3).map { .published(TrackNamespace(path: "old/\($0)")) }))
        follower.subscription?.update(prefix: TrackNamespace(path: "new")) { _ in }
        scene.world.settle()
        #expect(follower.events.count == 9)
        #expect(
            Set(follower.events.suffix(6))
                == Set(
                    (0..<3).flatMap { number -> [NamespaceEvent] in
                        [
                            .withdrawn(TrackNamespace(path: "old/\(number)")),
                            .published(TrackNamespace(path: "new/\(number)")),
                        ]
                    }
                )
        )
        // The upstream relay is asked for the new prefix alone.
        _ = publishers[0].announce("old/late")
        _ = publishers[0].announce("new/late")
        scene.world.settle()
        #expect(follower.events.dropFirst(9) == [.published(TrackNamespace(path: "new/late"))])
        #expect(scene.world.relays[0].remoteNamespaces[TrackNamespace(path: "old/late")] == nil)
        scene.closeAll(publishers[0])
    }

    @Test("What is offered from above to who follows tracks at another shard goes when that one follows no more")
    func offerFromAboveEnds() {
        let scene = Scene()
        let publisher = scene.above()
        let track = publisher.publish("live")
        let follower = scene.world.connect(1)
        let following = follower.session.subscribeTracks(
            TrackNamespace(path: "live"),
            events: { _ in },
            response: { _ in }
        )
        scene.world.settle()
        #expect(follower.publishes.count == 1)
        following.cancel()
        scene.world.settle()
        #expect(scene.world.relays.allSatisfy { $0.tracks.isEmpty })
        // It is asked for again when somebody wants it, as far as it can be found above.
        _ = publisher.announce("live")
        scene.world.settle()
        let subscribed = follower.subscribe("live")
        scene.world.settle()
        #expect(subscribed.answer != nil)
        track.send(group: 0, count: 2)
        scene.world.settle()
        #expect(subscribed.consumer.completeLocations.count == 2)
        scene.closeAll(publisher)
    }

    @Test("Who waits at another shard gets what appears above")
    func rendezvous() throws {
        let scene = Scene()
        let waiting = scene.world.connect(1).subscribe(
            FullTrackName(namespace: TrackNamespace(path: "live"), name: "track"),
            parameters: SubscriptionParameters(rendezvousTimeout: 5_000)
        )
        scene.world.advance(.seconds(2))
        #expect(waiting.results.isEmpty)
        let publisher = scene.above()
        _ = publisher.announce("live")
        scene.world.settle()
        #expect(waiting.answer != nil)
        try #require(publisher.tracks.first).send(group: 0, count: 2)
        scene.world.settle()
        #expect(waiting.consumer.completeLocations.count == 2)
        scene.closeAll(publisher)
    }
}
