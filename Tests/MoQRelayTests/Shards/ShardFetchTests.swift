// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport

@testable import MoQRelay

/// Fetches and questions about tracks of another shard.
@Suite("Fetches across shards", .timeLimit(.minutes(1)))
struct ShardFetchTests {
    @Test(
        "FETCH and TRACK_STATUS are answered by the shard that has the track, from its memory and from the publisher",
        arguments: DraftPair.all
    )
    func fetch(_ drafts: DraftPair) throws {
        let world = ShardWorld(2)
        let publisher = world.connect(0, drafts.publisher)
        _ = publisher.announce("live")
        world.settle()
        let viewed = world.connect(0, drafts.publisher).subscribe("live")
        world.settle()
        let stream = try #require(publisher.tracks.first?.open(group: 0, containsEndOfGroup: true))
        for object in 0..<4 as Range<UInt64> {
            stream.send(object: object, size: 5_000)
        }
        stream.finish()
        world.settle()
        #expect(viewed.consumer.locations.count == 4)
        let late = world.connect(1, drafts.subscriber)
        let fetched = late.fetch("live", through: .object(Location(group: 0, object: 3)))
        var status: [Result<RequestOk, MoQError>] = []
        let name = FullTrackName(namespace: TrackNamespace(path: "live"), name: "track")
        let query = late.session.trackStatus(of: name) { status.append($0) }
        world.settle()
        #expect(fetched.locations == locations((0..<4).map { (0, $0) }))
        #expect(
            fetched.events.first
                == .object(
                    Location(group: 0, object: 0),
                    subgroup: 0,
                    priority: 128,
                    payload: [UInt8](repeating: 0, count: 5_000)
                )
        )
        #expect(try status.first?.get().largestObject == Location(group: 0, object: 3))
        #expect(publisher.fetches.isEmpty)
        #expect(world.counters.objectsCrossed == 4)
        #expect(world.counters.fetches == 1)
        #expect(world.counters.upstreamFetches == 0)
        // Now both remember it.
        let again = late.fetch("live", through: .object(Location(group: 0, object: 3)))
        world.settle()
        #expect(again.locations.count == 4)
        #expect(world.counters.objectsCrossed == 4)
        _ = query
        world.closeAll()
    }

    @Test("What is remembered of another shard is forgotten with the publisher there")
    func forgotten() throws {
        let world = ShardWorld(2)
        let publisher = world.connect(0)
        _ = publisher.announce("live")
        world.settle()
        let subscribed = world.connect(1).subscribe("live")
        world.settle()
        try #require(publisher.tracks.first).send(group: 0, count: 2, size: 1_000)
        world.settle()
        #expect(subscribed.consumer.locations.count == 2)
        #expect(world.relays.allSatisfy { $0.counters.cachedBytes > 0 })
        world.disconnect(publisher)
        #expect(world.relays.allSatisfy { $0.counters.cachedBytes == 0 })
        world.closeAll()
    }
}
