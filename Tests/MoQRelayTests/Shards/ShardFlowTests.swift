// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@testable import MoQRelay

/// Who is slow at one shard, and what that does to others.
@Suite("Slow subscribers behind shards", .timeLimit(.minutes(1)))
struct ShardFlowTests {
    /// Large packets, because much is sent.
    private static var link: InMemoryLinkConfiguration {
        var link = SlowReading.link
        link.packetSize = 16 << 10
        return link
    }

    @Test(
        "One that does not read is cut off by its own shard alone; the others, there and here, get everything",
        arguments: [true, false]
    )
    func cutOffAlone(hasOtherAtItsShard: Bool) throws {
        let world = ShardWorld(2, SlowReading.configuration)
        let publisher = world.connect(0, link: Self.link)
        _ = publisher.announce("live")
        world.settle()
        let slow = world.connect(1, link: Self.link)
        let stuck = slow.subscribe("live")
        let fast = world.connect(hasOtherAtItsShard ? 1 : 0, link: Self.link).subscribe("live")
        let other = world.connect(1).subscribe("live", "other")
        world.settle()
        stuck.subscription?.pause()
        let track = try #require(publisher.tracks.first { $0.publisher?.track.name == Array("track".utf8) })
        let otherTrack = try #require(publisher.tracks.first { $0.publisher?.track.name == Array("other".utf8) })
        var largestQueue = 0
        for group in 0..<60 as Range<UInt64> {
            track.send(group: group, count: 2, size: 8 << 10)
            otherTrack.send(group: group, count: 1)
            world.advance(.milliseconds(20))
            largestQueue = max(largestQueue, slow.link.server.queuedByteCount)
        }
        world.settle()
        #expect(fast.consumer.completeLocations.count == 120)
        #expect(fast.consumer.ends.isEmpty)
        #expect(other.consumer.completeLocations.count == 60)
        #expect(world.relays.map(\.counters.subscribersCutOff) == [0, 1])
        #expect(world.counters.pauses == (hasOtherAtItsShard ? 0 : 1), "a shard has only slow ones, and says so")
        #expect(largestQueue <= SlowReading.bound + (128 << 10))
        stuck.subscription?.resume()
        world.advance(.seconds(6))
        #expect(stuck.consumer.ends.map(\.status) == [.tooFarBehind])
        #expect(track.ends.isEmpty)
        world.closeAll()
    }

    @Test(
        "When all lag, at whichever shards they are, the publisher waits, and nothing is lost",
        arguments: [[0, 1], [1, 2]]
    )
    func publisherWaits(shards: [Int]) throws {
        let world = ShardWorld(3, SlowReading.configuration)
        let publisher = world.connect(0, link: Self.link)
        _ = publisher.announce("live")
        world.settle()
        let clients = shards.map { world.connect($0, link: Self.link) }
        let subscribed = clients.map { $0.subscribe("live") }
        world.settle()
        for one in subscribed {
            one.subscription?.pause()
        }
        let track = try #require(publisher.tracks.first)
        let stream = try #require(track.open(group: 0))
        for object in 0..<60 as Range<UInt64> {
            stream.send(object: object, size: 32 << 10)
        }
        stream.finish()
        var largestQueue = 0
        for _ in 0..<20 {
            world.advance(.milliseconds(100))
            largestQueue = max(largestQueue, clients.map(\.link.server.queuedByteCount).max() ?? 0)
        }
        #expect(world.relays[0].counters.live.pausedTracks == 1)
        #expect(largestQueue > 128 << 10)
        #expect(largestQueue < SlowReading.bound)
        #expect((track.publisher?.queuedByteCount ?? 0) > 1 << 20)
        for one in subscribed {
            one.subscription?.resume()
        }
        world.advance(.seconds(4))
        for one in subscribed {
            #expect(one.consumer.completeLocations.count == 60)
            #expect(one.consumer.ends.isEmpty)
        }
        #expect(world.counters.subscribersCutOff == 0)
        #expect(world.live.pausedTracks == 0)
        world.closeAll()
    }

    @Test("Fetches that are not read hold up nothing that others get from the same shard")
    func fetchesHoldNothingUp() throws {
        let world = ShardWorld(2, SlowReading.configuration)
        var wide = InMemoryLinkConfiguration()
        wide.packetSize = 32 << 10
        let publisher = world.connect(0, link: wide)
        _ = publisher.announce("live")
        world.settle()
        let keeper = world.connect(0, link: wide).subscribe("live", "old")
        let subscribed = world.connect(1).subscribe("live", "new")
        world.settle()
        let old = try #require(publisher.tracks.first { $0.publisher?.track.name == Array("old".utf8) })
        let new = try #require(publisher.tracks.first { $0.publisher?.track.name == Array("new".utf8) })
        // More than the windows of one session usually are, in fetches of which each fits in the window of its stream.
        for group in 0..<16 as Range<UInt64> {
            old.send(group: group, count: 48, size: 16 << 10)
            world.settle()
        }
        #expect(keeper.consumer.completeLocations.count == 16 * 48)
        let reader = world.connect(1, link: Self.link)
        let fetches = (0..<16 as Range<UInt64>).map { group in
            let fetched = reader.fetch("live", "old", from: Location(group: group, object: 0), through: .group(group))
            fetched.receiver?.pause()
            return fetched
        }
        world.advance(.seconds(1))
        for group in 0..<20 as Range<UInt64> {
            new.send(group: group, count: 1, size: 8 << 10)
            world.advance(.milliseconds(20))
        }
        world.settle()
        #expect(subscribed.consumer.completeLocations.count == 20)
        #expect(subscribed.consumer.ends.isEmpty)
        for fetched in fetches {
            fetched.receiver?.cancel()
        }
        world.settle()
        world.closeAll()
    }
}
