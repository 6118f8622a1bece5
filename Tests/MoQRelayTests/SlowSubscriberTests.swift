// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import TestSupport
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Slow subscribers", .timeLimit(.minutes(2)))
struct SlowSubscriberTests {
    private static func queued(_ client: TestClient) -> Int {
        client.link.server.queuedByteCount
    }

    @Test("One that does not read is cut off alone, and its queue stays bounded", arguments: DraftPair.all)
    func cutOffAlone(_ drafts: DraftPair) throws {
        let world = RelayWorld(SlowReading.configuration)
        let publisher = world.connect(drafts.publisher, link: SlowReading.link)
        _ = publisher.announce("live")
        let fast = world.connect(drafts.subscriber, link: SlowReading.link)
        let slow = world.connect(drafts.subscriber, link: SlowReading.link)
        world.settle()
        let quick = fast.subscribe("live")
        let stuck = slow.subscribe("live")
        world.settle()
        stuck.subscription?.pause()
        let track = try #require(publisher.tracks.first)
        var largestQueue = 0
        for group in 0..<150 as Range<UInt64> {
            track.send(group: group, count: 2, size: 8 << 10)
            world.advance(.milliseconds(20))
            largestQueue = max(largestQueue, Self.queued(slow))
        }
        world.settle()
        #expect(quick.consumer.completeLocations.count == 300)
        #expect(quick.consumer.ends.isEmpty)
        #expect(world.relay.counters.subscribersCutOff == 1)
        #expect(world.relay.counters.pauses == 0)
        #expect(world.live.subscribers == 1)
        // The bound counts what is queued for the track when it is measured, which is every 64 KiB.
        #expect(largestQueue > SlowReading.bound / 2)
        #expect(largestQueue <= SlowReading.bound + (128 << 10))
        #expect(Self.queued(slow) < 1_000)
        stuck.subscription?.resume()
        world.advance(.seconds(20))
        #expect(stuck.consumer.ends.map(\.status) == [.tooFarBehind])
        #expect(!slow.isClosed)
        // It may come back.
        let again = slow.subscribe("live")
        world.settle()
        #expect(again.answer != nil)
        track.send(group: 1_000, count: 1)
        world.settle()
        #expect(again.consumer.completeLocations == [Location(group: 1_000, object: 0)])
        world.closeAll()
    }

    @Test("One that takes nothing at all for too long is cut off although its queue has room", arguments: DraftPair.all)
    func stalled(_ drafts: DraftPair) throws {
        let world = RelayWorld(SlowReading.configuration)
        let publisher = world.connect(drafts.publisher, link: SlowReading.link)
        _ = publisher.announce("live")
        let slow = world.connect(drafts.subscriber, link: SlowReading.link)
        world.settle()
        let stuck = slow.subscribe("live")
        world.settle()
        stuck.subscription?.pause()
        let track = try #require(publisher.tracks.first)
        track.send(group: 0, count: 40, size: 8 << 10)
        world.advance(.seconds(2))
        #expect(world.live.pausedTracks == 1)
        #expect(world.live.subscribers == 1)
        world.advance(.seconds(10))
        #expect(world.relay.counters.subscribersCutOff == 1)
        #expect(world.live.tracks == 0)
        #expect(world.live.pausedTracks == 0)
        #expect(world.live.upstreams == 0)
        #expect(track.ends.count == 1)
        world.closeAll()
    }

    @Test("When all lag, the publisher waits, and nothing is lost", arguments: DraftPair.all)
    func publisherWaits(_ drafts: DraftPair) throws {
        let world = RelayWorld(SlowReading.configuration)
        let publisher = world.connect(drafts.publisher, link: SlowReading.link)
        _ = publisher.announce("live")
        let clients = [
            world.connect(drafts.subscriber, link: SlowReading.link),
            world.connect(drafts.subscriber, link: SlowReading.link),
        ]
        world.settle()
        let subscribed = clients.map { $0.subscribe("live") }
        world.settle()
        for one in subscribed {
            one.subscription?.pause()
        }
        let track = try #require(publisher.tracks.first)
        let stream = try #require(track.open(group: 0))
        for object in 0..<100 as Range<UInt64> {
            stream.send(object: object, size: 32 << 10)
        }
        stream.finish()
        var largestQueue = 0
        for _ in 0..<20 {
            world.advance(.milliseconds(100))
            largestQueue = max(largestQueue, clients.map(Self.queued).max() ?? 0)
        }
        #expect(world.live.pausedTracks == 1)
        #expect(largestQueue > 128 << 10)
        #expect(largestQueue < SlowReading.bound)
        #expect((track.publisher?.queuedByteCount ?? 0) > 2 << 20)
        // The fastest of them sets the pace; the other one has to keep up or is cut off.
        for one in subscribed {
            one.subscription?.resume()
        }
        world.advance(.seconds(20))
        for one in subscribed {
            #expect(one.consumer.completeLocations.count == 100)
            #expect(one.consumer.ends.isEmpty)
        }
        let counters = world.relay.counters
        #expect(counters.pauses > 0)
        #expect(counters.resumes == counters.pauses)
        #expect(counters.subscribersCutOff == 0)
        #expect(counters.live.pausedTracks == 0)
        world.closeAll()
    }

    /// A track that waits for its only subscriber, who does not read, with the stream of its first group open; and somebody else.
    private func stalledTrack(
        _ world: RelayWorld,
        _ drafts: DraftPair
    ) throws -> (track: TestTrack, fresh: TestClient) {
        let publisher = world.connect(drafts.publisher, link: SlowReading.link)
        _ = publisher.announce("live")
        let slow = world.connect(drafts.subscriber, link: SlowReading.link)
        let fresh = world.connect(drafts.subscriber, link: SlowReading.link)
        world.settle()
        let stuck = slow.subscribe("live")
        world.settle()
        stuck.subscription?.pause()
        let track = try #require(publisher.tracks.first)
        let stream = try #require(track.open(group: 0))
        for object in 0..<40 as Range<UInt64> {
            stream.send(object: object, size: 16 << 10)
        }
        world.advance(.seconds(1))
        #expect(world.live.pausedTracks == 1)
        return (track, fresh)
    }

    @Test("A newcomer is served although everybody before it has stalled", arguments: DraftPair.all)
    func newcomer(_ drafts: DraftPair) throws {
        let world = RelayWorld(SlowReading.configuration)
        let (_, fresh) = try self.stalledTrack(world, drafts)
        let joined = fresh.subscribe("live")
        world.settle()
        world.settle()
        #expect(joined.consumer.completeLocations.last == Location(group: 0, object: 39))
        #expect(world.relay.counters.subscribersCutOff <= 1)
        world.closeAll()
    }

    @Test(
        "One that waits for the next group is served when that begins, although everybody else has stalled",
        arguments: DraftPair.all
    )
    func newcomerOfNextGroup(_ drafts: DraftPair) throws {
        let world = RelayWorld(SlowReading.configuration)
        let (track, fresh) = try self.stalledTrack(world, drafts)
        // For it alone nothing of the group goes on.
        let joined = fresh.subscribe("live", filter: .nextGroup)
        world.advance(.milliseconds(100))
        #expect(world.live.pausedTracks == 1)
        let second = try #require(track.open(group: 1))
        second.send(object: 0, size: 1_000)
        second.send(object: 1, size: 1_000)
        world.advance(.milliseconds(100))
        #expect(joined.consumer.completeLocations == [0, 1].map { Location(group: 1, object: $0) })
        world.closeAll()
    }

    @Test(
        "One that wants the present group after all is served, although everybody else has stalled",
        // Draft 14 does not let it ask for more than before.
        arguments: DraftPair.all.filter { $0.subscriber.updatesAreAnswered }
    )
    func newcomerWithOtherWishes(_ drafts: DraftPair) throws {
        let world = RelayWorld(SlowReading.configuration)
        let (_, fresh) = try self.stalledTrack(world, drafts)
        let joined = fresh.subscribe("live", filter: .nextGroup)
        world.advance(.milliseconds(100))
        #expect(world.live.pausedTracks == 1)
        joined.subscription?.update(filter: .nextObject)
        world.advance(.milliseconds(100))
        #expect(joined.consumer.completeLocations.last == Location(group: 0, object: 39))
        world.closeAll()
    }

    @Test("One whose range has ended is waited for as long as it is owed objects", arguments: DraftPair.all)
    func rangeHasEnded(_ drafts: DraftPair) throws {
        let world = RelayWorld(SlowReading.configuration)
        let publisher = world.connect(drafts.publisher, link: SlowReading.link)
        _ = publisher.announce("live")
        world.settle()
        let owed = world.connect(drafts.subscriber, link: SlowReading.link).subscribe(
            "live",
            filter: .absoluteRange(start: Location(group: 0, object: 0), endGroup: 0)
        )
        world.settle()
        let track = try #require(publisher.tracks.first)
        let stream = try #require(track.open(group: 0))
        stream.send(object: 0, size: 10)
        world.settle()
        // With the next group the range is over, while its last group goes on.
        track.send(group: 1, count: 1)
        world.settle()
        owed.subscription?.pause()
        for object in 1..<100 as Range<UInt64> {
            stream.send(object: object, size: 32 << 10)
        }
        stream.finish()
        world.advance(.seconds(2))
        #expect(world.live.pausedTracks == 1)
        owed.subscription?.resume()
        world.advance(.seconds(20))
        #expect(world.relay.counters.subscribersCutOff == 0)
        #expect(owed.consumer.completeLocations.count == 100)
        #expect(owed.consumer.ends.map(\.status) == [.subscriptionEnded])
        world.closeAll()
    }

    @Test("Nobody counts as one with room who has sent STOP_SENDING", arguments: DraftPair.all)
    func stopped(_ drafts: DraftPair) throws {
        let world = RelayWorld(SlowReading.configuration)
        let publisher = world.connect(drafts.publisher, link: SlowReading.link)
        _ = publisher.announce("live")
        let refusing = world.connect(drafts.subscriber)
        world.settle()
        let slow = world.connect(drafts.subscriber, link: SlowReading.link).subscribe("live")
        let name = FullTrackName(namespace: TrackNamespace(path: "live"), name: "track")
        let consumer = RefusingConsumer()
        let refused = refusing.session.subscribe(SubscribeRequest(track: name), consumer: consumer) { _ in }
        world.settle()
        let stream = try #require(publisher.tracks.first?.open(group: 0))
        stream.send(object: 0, size: 10)
        world.settle()
        #expect(consumer.refusals == 1)
        slow.subscription?.pause()
        for object in 1..<100 as Range<UInt64> {
            stream.send(object: object, size: 32 << 10)
        }
        stream.finish()
        world.advance(.seconds(2))
        #expect(world.live.pausedTracks == 1)
        // Its other wishes do not bring the stream back.
        refused.update(priority: 7)
        slow.subscription?.resume()
        world.advance(.seconds(20))
        #expect(world.relay.counters.subscribersCutOff == 0)
        #expect(slow.consumer.completeLocations.count == 100)
        #expect(consumer.refusals == 1)
        world.closeAll()
    }

    @Test("Who has sent STOP_SENDING gets another stream when it wants objects again", arguments: DraftPair.all)
    func stoppedForAWhile(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        _ = publisher.announce("live")
        world.settle()
        let consumer = RefusingConsumer()
        let name = FullTrackName(namespace: TrackNamespace(path: "live"), name: "track")
        let refused = world.connect(drafts.subscriber).session.subscribe(
            SubscribeRequest(track: name),
            consumer: consumer
        ) { _ in }
        world.settle()
        let stream = try #require(publisher.tracks.first?.open(group: 0))
        for object in 0..<2 as Range<UInt64> {
            stream.send(object: object, size: 10)
            world.settle()
        }
        #expect(consumer.refusals == 1)
        refused.update(forward: false)
        world.settle()
        refused.update(forward: true)
        world.settle()
        stream.send(object: 2, size: 10)
        stream.finish()
        world.settle()
        #expect(consumer.refusals == 2)
        world.closeAll()
    }

    /// Refuses every stream.
    private final class RefusingConsumer: TrackConsumer {
        private(set) var refusals = 0

        func beginSubgroup(_ subgroup: SubgroupDescription) -> (any SubgroupConsumer)? {
            self.refusals += 1
            return nil
        }

        func receive(_ datagram: ObjectDatagram, payload: Bytes) {}

        func trackEnded(_ end: TrackEnd) {}
    }

    @Test("However many wait for it, a payload is in memory once")
    func sharedPayload() throws {
        let subscriberCount = 48
        let size = 8 << 20
        var session = MoQSessionConfiguration()
        session.trackHighWatermark = size
        let world = RelayWorld(MoQRelayConfiguration(session: session))
        let publisher = world.connect(.draft18)
        _ = publisher.announce("live")
        var link = SlowReading.link
        link.congestionWindow = 32 << 10
        let clients = (0..<subscriberCount).map { _ in world.connect(.draft18, link: link) }
        let subscribed = clients.map { $0.subscribe("live") }
        world.settle()
        for one in subscribed {
            one.subscription?.pause()
        }
        let stream = try #require(publisher.tracks.first?.open(group: 0))
        let before = ResidentMemory.byteCount
        stream.send(object: 0, size: size)
        stream.finish()
        world.advance(.seconds(3))
        let queued = clients.map(Self.queued).reduce(0, +)
        let growth = ResidentMemory.byteCount - before
        #expect(queued > subscriberCount * (7 << 20))
        // Copies would take all of it. Half leaves room for what other tests do in the process at the same time.
        #expect(growth < queued / 2, "\(growth) bytes more for \(queued) bytes queued")
        world.closeAll()
    }
}
