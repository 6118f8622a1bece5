// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport

@testable import MoQRelay

/// A track that is published at one shard and wanted at others.
@Suite("Tracks across shards", .timeLimit(.minutes(1)))
struct ShardTrackTests {
    @Test(
        "An object crosses once to a shard, for all subscribers there, and is counted as by one relay",
        arguments: DraftPair.all
    )
    func crossesOnce(_ drafts: DraftPair) throws {
        let world = ShardWorld(2)
        let publisher = world.connect(0, drafts.publisher)
        _ = publisher.announce("live")
        world.settle()
        let clients = [1, 1, 1, 0].map { world.connect($0, drafts.subscriber) }
        let subscribed = clients.map { $0.subscribe("live") }
        world.settle()
        #expect(subscribed.allSatisfy { $0.answer != nil })
        #expect(publisher.subscribes.count == 1)
        #expect(world.live.sessions == 5)
        #expect(world.live.subscribers == 4)
        #expect(world.live.upstreams == 1)
        #expect(world.live.namespaces == 1)
        let track = try #require(publisher.tracks.first)
        for group in 0..<3 as Range<UInt64> {
            track.send(group: group, count: 5, size: 3_000)
        }
        world.settle()
        for one in subscribed {
            #expect(one.consumer.completeLocations.count == 15)
            #expect(one.consumer.objects == subscribed[3].consumer.objects)
            #expect(one.consumer.streamEnds == [.finished, .finished, .finished])
        }
        let counters = world.counters
        #expect(counters.objectsIn == 15)
        #expect(counters.bytesIn == 45_000)
        #expect(counters.objectsOut == 60)
        #expect(counters.bytesOut == 180_000)
        #expect(counters.objectsCrossed == 15)
        #expect(counters.bytesCrossed == 45_000)
        #expect(counters.upstreamSubscribes == 1)
        #expect(counters.sessions == 5)
        // Datagrams as well.
        if drafts.publisher == .draft18, drafts.subscriber == .draft18 {
            track.publisher?.receive(
                ObjectDatagram(trackAlias: TrackAlias(0), groupID: 7, objectID: 0, publisherPriority: 1),
                payload: Bytes([1, 2, 3])
            )
            world.settle()
            for one in subscribed {
                #expect(one.consumer.objects.last?.payload == [1, 2, 3])
            }
            #expect(world.counters.objectsCrossed == 16)
            #expect(world.counters.objectsIn == 16)
        }
        track.end()
        // Each session waits a little for datagrams that the end may have overtaken.
        world.advance(.seconds(1))
        #expect(subscribed.allSatisfy { $0.consumer.ends.map(\.status) == [.trackEnded] })
        world.closeAll()
    }

    @Test("The last subscriber of all shards takes the subscription to the publisher along")
    func lastLeaves() throws {
        let world = ShardWorld(3)
        let publisher = world.connect(0)
        _ = publisher.announce("live")
        world.settle()
        let subscribed = [1, 2, 2].map { world.connect($0).subscribe("live") }
        world.settle()
        let track = try #require(publisher.tracks.first)
        #expect(publisher.subscribes.count == 1)
        for one in subscribed.dropLast() {
            one.subscription?.cancel()
            world.settle()
        }
        #expect(track.ends.isEmpty)
        subscribed.last?.subscription?.cancel()
        world.settle()
        #expect(track.ends.count == 1)
        #expect(world.live.tracks == 0)
        world.closeAll()
    }

    @Test("A third shard has no part in it, and is not asked")
    func splitHorizon() throws {
        let world = ShardWorld(3)
        let publisher = world.connect(0)
        _ = publisher.announce("live")
        world.settle()
        // Everybody announces the namespace, and only one has the track.
        let others = [1, 2].map { world.connect($0) }
        for other in others {
            other.onSubscribe = { $0.reject(.doesNotExist, reason: "not this one") }
            _ = other.announce("live")
        }
        world.settle()
        let subscribed = world.connect(1).subscribe("live")
        world.settle()
        #expect(subscribed.answer != nil)
        #expect(publisher.subscribes.count == 1)
        // Each of them was asked by its own shard alone: by that of the subscriber, and on its behalf.
        #expect(others.map(\.subscribes.count) == [1, 1])
        let track = try #require(publisher.tracks.first)
        track.send(group: 0, count: 4)
        world.settle()
        #expect(subscribed.consumer.completeLocations.count == 4)
        #expect(world.counters.objectsCrossed == 4)
        #expect(world.relays[2].tracks.isEmpty)
        world.closeAll()
    }

    @Test("What nobody has does not exist, at once, however many shards announce its namespace")
    func nobodyHasIt() {
        let world = ShardWorld(3)
        let publishers = (0..<3).map { world.connect($0) }
        for publisher in publishers {
            publisher.onSubscribe = { $0.reject(.doesNotExist, reason: "no such track") }
            _ = publisher.announce("live")
        }
        world.settle()
        // Two shards ask for it at the same time, and so each other.
        let subscribed = [0, 1].map { world.connect($0) }.map { $0.subscribe("live") }
        world.advance(.seconds(1))
        #expect(subscribed.allSatisfy { $0.refusal == .doesNotExist })
        let other = world.connect(2).subscribe("other")
        world.settle()
        #expect(other.refusal == .doesNotExist)
        #expect(world.live.tracks == 0)
        world.closeAll()
    }

    @Test("A track that is only offered with PUBLISH is known at every shard, and flows while somebody wants it")
    func published() throws {
        let world = ShardWorld(3)
        let publisher = world.connect(0)
        let follower = world.connect(2)
        var offered: [Subscription] = []
        let accepted = RecordingConsumer()
        follower.onPublish = { offered.append($0.accept(forward: false, consumer: accepted)) }
        let following = follower.session.subscribeTracks(
            TrackNamespace(path: "live"),
            events: { _ in },
            response: { _ in }
        )
        world.settle()
        let track = publisher.publish("live")
        world.settle()
        #expect(track.results.count == 1)
        #expect(!track.forward)
        #expect(follower.publishes.count == 1)
        let subscribed = world.connect(1).subscribe("live")
        world.settle()
        #expect(subscribed.answer != nil)
        #expect(track.forward)
        track.send(group: 0, count: 3)
        world.settle()
        #expect(subscribed.consumer.completeLocations.count == 3)
        #expect(accepted.objects.isEmpty)
        #expect(world.counters.objectsCrossed == 3)
        subscribed.subscription?.cancel()
        world.settle()
        #expect(!track.forward)
        #expect(world.live.upstreams == 1)
        track.end()
        world.settle()
        #expect(accepted.ends.map(\.status) == [.trackEnded])
        #expect(world.live.tracks == 0)
        _ = following
        world.closeAll()
    }

    @Test(
        "A track that another shard offered stays known when a client here follows the tracks of its prefix no more",
        arguments: [nil, 0]
    )
    func offerOutlivesFollower(gateway: Int?) {
        let world = ShardWorld(2, gateway: gateway)
        let track = world.connect(0).publish("live")
        let follower = world.connect(1)
        let following = follower.session.subscribeTracks(
            TrackNamespace(path: "live"),
            events: { _ in },
            response: { _ in }
        )
        world.settle()
        #expect(follower.publishes.count == 1)
        following.cancel()
        world.settle()
        let subscribed = follower.subscribe("live")
        world.settle()
        #expect(subscribed.answer != nil)
        track.send(group: 0, count: 3)
        world.settle()
        #expect(subscribed.consumer.completeLocations.count == 3)
        track.end()
        world.advance(.seconds(1))
        #expect(subscribed.consumer.ends.map(\.status) == [.trackEnded])
        world.closeAll()
    }

    @Test(
        "Publishers of one track at several shards are made one, and nothing stays when they and their subscribers go"
    )
    func merged() throws {
        let world = ShardWorld(2)
        let publishers = [0, 1].map { world.connect($0) }
        for publisher in publishers {
            _ = publisher.announce("live")
        }
        world.settle()
        let subscribed = [0, 1].map { world.connect($0).subscribe("live") }
        world.settle()
        let tracks = try publishers.map { try #require($0.tracks.first) }
        #expect(publishers.map(\.subscribes.count) == [1, 1])
        for group in 0..<4 as Range<UInt64> {
            for track in tracks {
                track.send(group: group, count: 3)
            }
            world.settle()
        }
        for one in subscribed {
            #expect(one.consumer.locations.count == 12)
            #expect(one.consumer.completeLocations.count == 12)
            #expect(one.consumer.ends.isEmpty)
        }
        // One vanishes; nobody notices.
        world.disconnect(publishers[0])
        tracks[1].send(group: 4, count: 3)
        world.settle()
        for one in subscribed {
            #expect(one.consumer.completeLocations.count == 15)
            #expect(one.consumer.ends.isEmpty)
        }
        // When the other one does as well, no shard keeps the track for the other.
        world.disconnect(publishers[1])
        for one in subscribed {
            #expect(one.consumer.ends.count == 1)
        }
        #expect(world.relays.allSatisfy { $0.tracks.isEmpty })
        world.closeAll()
    }

    @Test("A track that is offered while another shard has subscribed to it is known there when those are gone")
    func offerOutlivesSubscribers() {
        let world = ShardWorld(2)
        let publisher = world.connect(0)
        let announced = publisher.announce("live")
        world.settle()
        let subscribed = world.connect(1).subscribe("live")
        world.settle()
        #expect(publisher.subscribes.count == 1)
        let track = world.connect(0).publish("live")
        world.settle()
        announced.publication?.withdraw()
        subscribed.subscription?.cancel()
        world.settle()
        #expect(!track.forward)
        let again = world.connect(1).subscribe("live")
        world.settle()
        #expect(again.answer != nil)
        #expect(track.forward)
        world.closeAll()
    }

    @Test("Publishers at two shards that contradict each other do so once, although one's shard offers the track again")
    func contradiction() throws {
        let world = ShardWorld(2)
        let offered = world.connect(0).publish("live")
        let other = world.connect(1)
        _ = other.announce("live")
        let follower = world.connect(1)
        follower.onPublish = { $0.accept(forward: true, consumer: RecordingConsumer()) }
        _ = follower.session.subscribeTracks(
            TrackNamespace(path: "live"),
            events: { _ in },
            response: { _ in }
        )
        world.settle()
        #expect(follower.publishes.count == 1)
        for round in 0..<5 {
            // Both have another object in the same place.
            offered.send(group: UInt64(round), count: 1, size: 10)
            other.tracks.last?.send(group: UInt64(round), count: 1, size: 20)
            world.advance(.seconds(1))
        }
        #expect(world.counters.tracksContradicted == 1)
        #expect(follower.publishes.count == 1)
        world.closeAll()
    }

    @Test("Who follows another prefix no more has nothing to do with what was offered", arguments: [nil, 0])
    func otherPrefix(gateway: Int?) throws {
        let world = ShardWorld(2, gateway: gateway)
        _ = world.connect(0).publish("live")
        world.settle()
        let before = try #require(world.relays[1].tracks.values.first)
        let following = world.connect(1).session.subscribeTracks(
            TrackNamespace(path: "elsewhere"),
            events: { _ in },
            response: { _ in }
        )
        world.settle()
        following.cancel()
        world.settle()
        #expect(world.relays[1].tracks.values.first === before)
        #expect(!before.isOver)
        world.closeAll()
    }

    @Test("Two shards that have a track from each other let go of it when their subscribers are gone")
    func noZombies() throws {
        let world = ShardWorld(2)
        let publishers = [0, 1].map { world.connect($0) }
        let tracks = publishers.map { $0.publish("live") }
        world.settle()
        let subscribed = [0, 1].map { world.connect($0).subscribe("live") }
        world.settle()
        #expect(tracks.allSatisfy { $0.forward })
        for one in subscribed {
            one.subscription?.cancel()
        }
        world.settle()
        #expect(tracks.allSatisfy { !$0.forward })
        for publisher in publishers {
            world.disconnect(publisher)
        }
        #expect(world.relays.allSatisfy { $0.tracks.isEmpty })
        world.closeAll()
    }

    @Test("A malformed track ends as such at every shard")
    func malformed() throws {
        let world = ShardWorld(2)
        let publishers = [0, 1].map { world.connect($0) }
        for publisher in publishers {
            _ = publisher.announce("live")
        }
        world.settle()
        let subscribed = [0, 1].map { world.connect($0).subscribe("live") }
        world.settle()
        for (size, publisher) in zip([10, 20], publishers) {
            try #require(publisher.tracks.first).send(group: 0, count: 1, size: size)
        }
        world.settle()
        #expect(subscribed.allSatisfy { $0.consumer.ends.map(\.status) == [.malformedTrack] })
        world.closeAll()
    }

    @Test("The limits of a session are not those of another shard, which asks for all its clients")
    func limits() {
        var configuration = MoQRelayConfiguration()
        configuration.maximumSubscriptionsPerSession = 2
        configuration.maximumNamespacesPerSession = 2
        configuration.maximumPublishersPerTrack = 1
        let world = ShardWorld(2, configuration)
        let publishers = (0..<3).map { _ in world.connect(0) }
        for (number, publisher) in publishers.enumerated() {
            _ = publisher.announce("live/\(number)/a")
            _ = publisher.announce("live/\(number)/b")
        }
        world.settle()
        var subscribed: [Subscribed] = []
        for number in 0..<3 {
            let client = world.connect(1)
            subscribed += [client.subscribe("live/\(number)/a"), client.subscribe("live/\(number)/b")]
        }
        world.settle()
        #expect(subscribed.allSatisfy { $0.answer != nil })
        #expect(world.counters.requestsOverLimit == 0)
        world.closeAll()
    }

    @Test("Whoever has no right to something is told by its own shard, and the others ask nobody again")
    func authorizedOnce() throws {
        let asked = Asked()
        var configuration = MoQRelayConfiguration()
        configuration.session.authorizer = { request in
            guard request.operation == .request(.subscribe), let track = request.track else {
                return .allowed
            }
            asked.tracks.withLock { $0.append(track.name) }
            return track.name == Array("secret".utf8) ? .unauthorized(reason: "no") : .allowed
        }
        let world = ShardWorld(2, configuration)
        let publisher = world.connect(0)
        _ = publisher.announce("live")
        world.settle()
        let viewer = world.connect(1)
        let secret = viewer.subscribe("live", "secret")
        let open = viewer.subscribe("live", "open")
        world.settle()
        #expect(secret.refusal == .unauthorized)
        #expect(open.answer != nil)
        #expect(publisher.subscribes.count == 1)
        #expect(asked.tracks.withLock { $0 } == [Array("secret".utf8), Array("open".utf8)])
        world.closeAll()
    }

    /// The tracks that an authorizer was asked about.
    private final class Asked: Sendable {
        let tracks = Locked<[[UInt8]]>([])
    }
}
