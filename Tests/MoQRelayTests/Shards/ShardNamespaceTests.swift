// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing

@testable import MoQRelay

/// What is announced at one shard, followed or waited for at another.
@Suite("Namespaces across shards", .timeLimit(.minutes(1)))
struct ShardNamespaceTests {
    @Test(
        "Who follows a prefix hears of each namespace once, and of its end once, whichever shards bring it",
        arguments: DraftProfile.all
    )
    func follow(_ draft: DraftProfile) {
        let world = ShardWorld(3)
        let publishers = (0..<3).map { world.connect($0, draft) }
        let before = publishers[0].announce("live/before")
        world.settle()
        let followers = (0..<3).map { world.connect($0, draft).follow("live") }
        world.settle()
        let announced = publishers.map { $0.announce("live/everywhere") }
        let after = publishers[2].announce("live/after")
        _ = publishers[2].announce("other")
        world.settle()
        let expected: Set<NamespaceEvent> = [
            .published(TrackNamespace(path: "live/before")), .published(TrackNamespace(path: "live/everywhere")),
            .published(TrackNamespace(path: "live/after")),
        ]
        for follower in followers {
            #expect(follower.isAccepted)
            #expect(follower.events.count == 3)
            #expect(Set(follower.events) == expected)
        }
        before.publication?.withdraw()
        after.publication?.withdraw()
        announced[0].publication?.withdraw()
        announced[1].publication?.withdraw()
        world.settle()
        for follower in followers {
            #expect(follower.events.count == 5)
            #expect(
                Set(follower.events.dropFirst(3)) == [
                    .withdrawn(TrackNamespace(path: "live/before")), .withdrawn(TrackNamespace(path: "live/after")),
                ]
            )
        }
        world.disconnect(publishers[2])
        for follower in followers {
            #expect(follower.events.dropFirst(5) == [.withdrawn(TrackNamespace(path: "live/everywhere"))])
        }
        world.closeAll()
    }

    private static let name = FullTrackName(namespace: TrackNamespace(path: "live/room"), name: "track")

    @Test("Who waits for a track gets it when its publisher comes to another shard", arguments: [true, false])
    func rendezvous(isAnnounced: Bool) throws {
        let world = ShardWorld(2)
        let waiting = world.connect(1).subscribe(
            Self.name,
            parameters: SubscriptionParameters(rendezvousTimeout: 5_000)
        )
        let vain = world.connect(1).subscribe(
            FullTrackName(namespace: TrackNamespace(path: "else"), name: "track"),
            parameters: SubscriptionParameters(rendezvousTimeout: 5_000)
        )
        world.advance(.seconds(4))
        #expect(waiting.results.isEmpty)
        #expect(world.live.pendingSubscribers == 2)
        let publisher = world.connect(0)
        let offered = isAnnounced ? nil : publisher.publish("live/room")
        if isAnnounced {
            _ = publisher.announce("live")
        }
        world.settle()
        #expect(waiting.answer != nil)
        let track = try #require(offered ?? publisher.tracks.first)
        track.send(group: 0, count: 2)
        world.advance(.seconds(2))
        #expect(waiting.consumer.completeLocations.count == 2)
        #expect(vain.refusal == .timeout)
        #expect(world.counters.rendezvousTimeouts == 1)
        world.closeAll()
    }

    /// Something that happens in the middle of something else, once.
    private final class Interruption: @unchecked Sendable {
        // Unchecked: it is used on the test's thread alone, which stands on all loops.
        var body: (() -> Void)?

        func happen() {
            let body = self.body
            self.body = nil
            body?()
        }
    }

    @Test(
        "Who has heard of a publisher at another shard is not told that there is none, however soon the request comes",
        arguments: [RequestKind.subscribe, .fetch, .trackStatus],
        [true, false]
    )
    func heardBefore(_ kind: RequestKind, isAwaited: Bool) throws {
        let interruption = Interruption()
        var configuration = MoQRelayConfiguration()
        configuration.session.authorizer = { request in
            if request.operation == .request(kind), request.track?.name == Self.name.name {
                interruption.happen()
            }
            return .allowed
        }
        let world = ShardWorld(2, configuration)
        let publisher = world.connect(0)
        let viewer = world.connect(1)
        if isAwaited {
            // Somebody else waits for the same track.
            _ = world.connect(1).subscribe(
                Self.name,
                parameters: SubscriptionParameters(rendezvousTimeout: 5_000)
            )
            world.settle()
        }
        // While the request is in the hands of the second shard, the first answers a publisher, and says so to the second,
        // which does not come to it.
        var isAnswered = false
        interruption.body = {
            let announced = publisher.announce("live")
            world.drivers[0].advance(by: .milliseconds(250))
            isAnswered = announced.isAccepted
        }
        let subscribed = kind == .subscribe ? viewer.subscribe("live/room") : nil
        let fetched = kind == .fetch ? viewer.fetch("live/room", through: .group(0)) : nil
        var status: [Result<RequestOk, MoQError>] = []
        let query = kind == .trackStatus ? viewer.session.trackStatus(of: Self.name) { status.append($0) } : nil
        world.settle()
        #expect(isAnswered)
        #expect(world.counters.tracksNotFound == 0)
        #expect(subscribed?.refusal == nil)
        #expect((subscribed == nil) == (subscribed?.answer == nil))
        #expect(fetched?.results.count ?? 1 == 1)
        #expect(fetched?.refusal != .doesNotExist)
        #expect(status.count == (query == nil ? 0 : 1))
        if case .failure(let error)? = status.first {
            #expect(error.requestError == .notSupported)
        }
        world.closeAll()
    }

    @Test("A track that a subscriber has is taken from a publisher at another shard, too, when that one appears")
    func appearsLater() throws {
        let world = ShardWorld(2)
        let first = world.connect(0)
        _ = first.announce("live")
        world.settle()
        let subscribed = world.connect(0).subscribe("live")
        world.settle()
        let second = world.connect(1)
        _ = second.announce("live")
        world.settle()
        #expect(second.subscribes.count == 1)
        world.disconnect(first)
        try #require(second.tracks.first).send(group: 3, count: 2)
        world.settle()
        #expect(subscribed.consumer.ends.isEmpty)
        #expect(subscribed.consumer.completeLocations.count == 2)
        world.closeAll()
    }

    @Test("When a shard drains, what stands between shards goes on until they are closed")
    func drain() throws {
        let world = ShardWorld(2)
        let publisher = world.connect(0)
        _ = publisher.announce("live")
        world.settle()
        let viewer = world.connect(1)
        let subscribed = viewer.subscribe("live")
        world.settle()
        var drained: [Int] = []
        for (index, relay) in world.relays.enumerated() {
            relay.drain(timeout: .seconds(5)) { drained.append(index) }
        }
        world.settle()
        #expect(publisher.goaways.count == 1)
        #expect(viewer.goaways.count == 1)
        try #require(publisher.tracks.first).send(group: 0, count: 2)
        world.settle()
        #expect(subscribed.consumer.completeLocations.count == 2)
        world.disconnect(viewer)
        #expect(drained == [1])
        #expect(publisher.tracks.first?.ends.count == 1)
        world.disconnect(publisher)
        #expect(drained == [1, 0])
        world.closeAll()
    }

    @Test("A shard that is closed alone is reported as lost, and its tracks end")
    func lost() throws {
        let world = ShardWorld(3)
        let publisher = world.connect(0)
        _ = publisher.announce("live")
        world.settle()
        let subscribed = world.connect(1).subscribe("live")
        world.settle()
        world.relays[0].close()
        world.settle()
        #expect(world.losses.count == 2)
        #expect(subscribed.consumer.ends.count == 1)
        #expect(world.relays[1].tracks.isEmpty)
        #expect(world.relays[1].announcements.isEmpty)
        world.close()
    }
}
