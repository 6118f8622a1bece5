// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Subscribers that do not read", .timeLimit(.minutes(2)))
struct SlowSubscriberTests {
    private func harness(_ variant: Variant, maximum: Int) -> Harness {
        var configuration = MoQSessionConfiguration()
        configuration.maxQueuedBytesPerTrack = maximum
        return Harness.established(variant, configuration: configuration)
    }

    @Test("A queue beyond its bound cuts the subscriber off, alone", arguments: Variant.all)
    func bound(variant: Variant) throws {
        let harness = self.harness(variant, maximum: 3 << 20)
        let consumer = CollectingConsumer()
        let (subscription, publisher) = try harness.subscribe(consumer: consumer)
        let delegate = RecordingDelegate()
        publisher.delegate = delegate
        subscription.pause()
        let subgroup = try #require(publisher.beginSubgroup(SubgroupDescription(group: 0)))
        let payload = pattern(100_000)
        for id in UInt64(0)..<60 {
            subgroup.send(id, payload)
        }
        #expect(publisher.queuedByteCount == 0, "everything was thrown away")
        #expect(publisher.isEnded)
        #expect(delegate.ends == [.tooFarBehind])
        #expect(harness.publisher.counters.subscribersTooFarBehind == 1)
        subscription.resume()
        harness.run(.seconds(10))
        #expect(consumer.ends.map(\.status) == [.tooFarBehind])
        #expect(consumer.subgroups.allSatisfy { $0.ends.count == 1 && $0.ends != [.finished] })
        #expect(harness.publisher.isOpen)
        #expect(harness.subscriber.isOpen)
        harness.expectNothingLive()
    }

    @Test("Too many subgroups at a time cut the subscriber off, even if they are small", arguments: Variant.all)
    func subgroups(variant: Variant) throws {
        var configuration = MoQSessionConfiguration()
        configuration.maxSubgroupsPerTrack = 10
        let harness = Harness.established(variant, configuration: configuration)
        let consumer = CollectingConsumer()
        let (_, publisher) = try harness.subscribe(consumer: consumer)
        let delegate = RecordingDelegate()
        publisher.delegate = delegate
        for group in UInt64(0)..<10 {
            publisher.send(group: group, [[1]])
        }
        #expect(delegate.ends.isEmpty)
        publisher.send(group: 10, [[1]])
        #expect(delegate.ends == [.tooFarBehind])
        harness.run(.seconds(10))
        #expect(consumer.ends.map(\.status) == [.tooFarBehind])
        harness.expectNothingLive()
    }

    @Test("A publisher of many small subgroups is told to wait, and to go on", arguments: Variant.all)
    func manySmall(variant: Variant) throws {
        var link = InMemoryLinkConfiguration()
        link.client.maximumIncomingUnidirectionalStreams = 4
        link.server.maximumIncomingUnidirectionalStreams = 4
        var configuration = MoQSessionConfiguration()
        configuration.maxSubgroupsPerTrack = 64
        let harness = Harness.established(variant, link: link, configuration: configuration)
        let consumer = CollectingConsumer()
        let (_, publisher) = try harness.subscribe(consumer: consumer)
        let delegate = RecordingDelegate()
        publisher.delegate = delegate
        var group: UInt64 = 0
        while group < 200 {
            while !publisher.isAboveHighWatermark, group < 200 {
                publisher.send(group: group, [[UInt8(truncatingIfNeeded: group)]])
                group += 1
            }
            harness.run()
        }
        publisher.end()
        harness.run(.seconds(20))
        #expect(delegate.drains > 3)
        #expect(delegate.ends == [.finished])
        #expect(consumer.contents.count == 200)
        #expect(consumer.ends.map(\.status) == [.trackEnded])
        harness.expectNothingLive()
    }

    @Test("A publisher whose open subgroups have too much together is told when they are empty", arguments: Variant.all)
    func openSubgroups(variant: Variant) throws {
        var configuration = MoQSessionConfiguration()
        configuration.trackHighWatermark = 100_000
        configuration.trackLowWatermark = 50_000
        let harness = Harness.established(variant, configuration: configuration)
        let consumer = CollectingConsumer()
        let (_, publisher) = try harness.subscribe(consumer: consumer)
        let delegate = RecordingDelegate()
        publisher.delegate = delegate
        var subgroups: [any SubgroupConsumer] = []
        for group in UInt64(0)..<4 {
            subgroups.append(try #require(publisher.beginSubgroup(SubgroupDescription(group: group))))
        }
        for subgroup in subgroups {
            subgroup.send(0, pattern(1))
        }
        harness.run(.seconds(5))
        for round in UInt64(1)...2 {
            // The streams are open already, and none is above a watermark of its own.
            for subgroup in subgroups {
                subgroup.send(round, pattern(60_000))
            }
            #expect(publisher.isAboveHighWatermark)
            harness.run(.seconds(5))
            #expect(!publisher.isAboveHighWatermark)
            #expect(delegate.drains == Int(round))
        }
        for subgroup in subgroups {
            subgroup.finish()
        }
        publisher.end()
        harness.run(.seconds(5))
        #expect(delegate.ends == [.finished])
        harness.expectNothingLive()
    }

    @Test("When no stream can be had, the subscriber is too far behind", arguments: Variant.all)
    func streamLimit(variant: Variant) throws {
        var link = InMemoryLinkConfiguration()
        link.client.maximumOutgoingStreams = 8
        link.server.maximumOutgoingStreams = 8
        let harness = Harness.established(variant, link: link)
        let consumer = CollectingConsumer()
        let (_, publisher) = try harness.subscribe(consumer: consumer)
        let delegate = RecordingDelegate()
        publisher.delegate = delegate
        for group in UInt64(0)..<20 {
            publisher.send(group: group, [[1]])
        }
        #expect(delegate.ends == [.tooFarBehind])
        #expect(harness.publisher.counters.subgroupsWithoutStream == 1)
        harness.run(.seconds(10))
        #expect(consumer.ends.map(\.status) == [.tooFarBehind])
        #expect(harness.publisher.isOpen)
    }

    @Test("A queue that does not move for too long cuts the subscriber off", arguments: Variant.all)
    func stall(variant: Variant) throws {
        let harness = self.harness(variant, maximum: 16 << 20)
        let consumer = CollectingConsumer()
        let (subscription, publisher) = try harness.subscribe(consumer: consumer)
        let delegate = RecordingDelegate()
        publisher.delegate = delegate
        subscription.pause()
        publisher.send(group: 0, Array(repeating: pattern(100_000), count: 40))
        #expect(publisher.isAboveHighWatermark)
        harness.run(.seconds(3))
        #expect(delegate.ends.isEmpty)
        harness.run(.seconds(20))
        #expect(delegate.ends == [.tooFarBehind])
        #expect(harness.publisher.counters.liveStreamsOut == 0)
        #expect(harness.loop.counters.liveTimers <= 1)
    }

    @Test("A track that ends but is not read is cut off, too", arguments: Variant.all)
    func stallAtTheEnd(variant: Variant) throws {
        var link = InMemoryLinkConfiguration()
        link.client.streamReceiveWindow = 10_000
        link.server.streamReceiveWindow = 10_000
        let harness = Harness.established(variant, link: link)
        let consumer = CollectingConsumer()
        let (subscription, publisher) = try harness.subscribe(consumer: consumer)
        let delegate = RecordingDelegate()
        publisher.delegate = delegate
        subscription.pause()
        publisher.send(group: 0, [pattern(100_000)])
        publisher.end()
        harness.run(.seconds(20))
        #expect(delegate.ends == [.tooFarBehind])
        #expect(publisher.isEnded)
        #expect(harness.publisher.counters.livePublications == 0)
    }

    @Test("A subscriber that reads slowly but steadily is kept", arguments: Variant.all)
    func slowButSteady(variant: Variant) throws {
        var link = InMemoryLinkConfiguration()
        link.bytesPerSecond = 200_000
        let harness = Harness.established(variant, link: link)
        let consumer = CollectingConsumer()
        let (_, publisher) = try harness.subscribe(consumer: consumer)
        let delegate = RecordingDelegate()
        publisher.delegate = delegate
        publisher.send(group: 0, Array(repeating: pattern(100_000), count: 40))
        publisher.end()
        harness.run(.seconds(60))
        #expect(delegate.ends == [.finished])
        #expect(consumer.contents.count == 40)
        #expect(consumer.ends.map(\.status) == [.trackEnded])
        harness.expectNothingLive()
    }
}
