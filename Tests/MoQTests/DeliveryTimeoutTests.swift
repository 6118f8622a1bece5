// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Delivery timeouts of subscriptions", .timeLimit(.minutes(2)))
struct DeliveryTimeoutTests {
    /// A track over a link that carries 100 kB in a second, and a publisher that has more.
    private struct Scene {
        let harness: Harness
        let consumer = CollectingConsumer()
        let subscription: Subscription
        let publisher: TrackPublisher

        init(
            _ profile: DraftProfile,
            object: UInt64? = nil,
            subgroup: UInt64? = nil,
            track: [(UInt64, UInt64)] = []
        ) throws {
            var link = InMemoryLinkConfiguration()
            link.bytesPerSecond = 100_000
            link.congestionWindow = 8_000
            self.harness = Harness.established(Variant(profile: profile, subscriber: .client), link: link)
            let pairs = try track.map { try #require(KeyValuePair(type: $0.0, integer: $0.1)) }
            (self.subscription, self.publisher) = try self.harness.subscribe(
                parameters: SubscriptionParameters(
                    // In absolute numbers, so that an update of draft 14 can repeat it.
                    filter: .absoluteStart(Location(group: 0, object: 0)),
                    objectDeliveryTimeout: object,
                    subgroupDeliveryTimeout: subgroup
                ),
                properties: try PropertyList(pairs),
                consumer: self.consumer
            )
        }

        /// Begins a group of a large object, which takes more than a second, and a small one that waits for it.
        func congest(group: UInt64 = 0) throws -> any SubgroupConsumer {
            let stream = try #require(self.publisher.beginSubgroup(SubgroupDescription(group: group)))
            stream.send(0, pattern(120_000))
            stream.send(1, [1])
            return stream
        }

        func advance(_ milliseconds: Int) {
            self.harness.run(.milliseconds(milliseconds))
        }

        var ends: [[CollectingConsumer.End]] {
            self.consumer.subgroups.map(\.ends)
        }

        var timedOut: UInt64 {
            self.harness.publisher.counters.subgroupsTimedOut
        }
    }

    @Test("An object that waits too long resets its subgroup, whoever wants that", arguments: DraftProfile.all)
    func object(profile: DraftProfile) throws {
        var scenes = [try Scene(profile, object: 300)]
        scenes.append(try Scene(profile, track: [(PropertyType.objectDeliveryTimeout, 300)]))
        scenes.append(try Scene(profile, object: 5_000, track: [(PropertyType.objectDeliveryTimeout, 300)]))
        scenes.append(try Scene(profile, object: 300, track: [(PropertyType.objectDeliveryTimeout, 5_000)]))
        for scene in scenes {
            let stream = try scene.congest()
            scene.advance(290)
            #expect(scene.timedOut == 0)
            #expect(scene.ends == [[]])
            scene.advance(20)
            #expect(scene.timedOut == 1)
            scene.advance(1_000)
            #expect(scene.ends == [[.reset(.deliveryTimeout)]])
            // What comes later in the subgroup goes nowhere; the next group does.
            stream.send(2, [1])
            stream.finish()
            scene.publisher.send(group: 1, [[7]])
            scene.advance(1_000)
            #expect(scene.consumer.contents.last == Content(group: 1, id: 0, payload: [7]))
            #expect(scene.ends == [[.reset(.deliveryTimeout)], [.finished]])
            scene.publisher.end()
            scene.advance(1_000)
            #expect(scene.consumer.ends.map(\.streamCount) == [2])
            #expect(scene.harness.publisher.counters.livePublications == 0)
        }
    }

    @Test("Without a timeout, or in time, everything arrives", arguments: DraftProfile.all)
    func inTime(profile: DraftProfile) throws {
        var scenes = [try Scene(profile), try Scene(profile, object: 3_000)]
        if profile != .draft16 {
            scenes.append(try Scene(profile, object: 0))
        }
        for scene in scenes {
            try scene.congest().finish()
            scene.advance(3_000)
            #expect(scene.ends == [[.finished]])
            #expect(scene.consumer.contents.map(\.payload.count) == [120_000, 1])
            #expect(scene.timedOut == 0)
        }
        // A timeout per object, not per subgroup: one that goes on for long is not late.
        let scene = try Scene(profile, object: 200)
        let stream = try #require(scene.publisher.beginSubgroup(SubgroupDescription(group: 0)))
        for id in UInt64(0)..<40 {
            stream.send(id, pattern(1_000))
            scene.advance(50)
        }
        stream.finish()
        scene.advance(100)
        #expect(scene.ends == [[.finished]])
        #expect(scene.consumer.contents.count == 40)
    }

    @Test("An update changes the timeout of what waits already", arguments: DraftProfile.all)
    func update(profile: DraftProfile) throws {
        let scene = try Scene(profile, object: 60_000)
        scene.subscription.update(objectDeliveryTimeout: 200)
        scene.advance(100)
        #expect(scene.publisher.parameters.objectDeliveryTimeout == 200)
        _ = try scene.congest()
        scene.advance(210)
        #expect(scene.timedOut == 1)
        // One that is shortened while objects wait.
        let other = try Scene(profile, object: 60_000)
        _ = try other.congest()
        other.advance(400)
        #expect(other.timedOut == 0)
        other.subscription.update(objectDeliveryTimeout: 100)
        other.advance(100)
        #expect(other.timedOut == 1)
    }

    @Test("A subgroup that is complete and not delivered in time is reset, from draft 18 on")
    func subgroup() throws {
        for scene in [
            try Scene(.draft18, subgroup: 300),
            try Scene(.draft18, track: [(PropertyType.subgroupDeliveryTimeout, 300)]),
        ] {
            let stream = try scene.congest()
            scene.advance(400)
            #expect(scene.timedOut == 0, "it is not complete")
            stream.finish()
            scene.advance(290)
            #expect(scene.timedOut == 0)
            scene.advance(20)
            #expect(scene.timedOut == 1)
            scene.advance(1_000)
            #expect(scene.ends == [[.reset(.deliveryTimeout)]])
            scene.publisher.end()
            scene.advance(1_000)
            #expect(scene.consumer.ends.map(\.streamCount) == [1])
        }
        let scene = try Scene(.draft18, subgroup: 300)
        scene.publisher.send(group: 0, [[1]])
        scene.advance(1_000)
        #expect(scene.ends == [[.finished]])
        #expect(scene.timedOut == 0)
        #expect(scene.harness.loop.counters.liveTimers == 0)
    }

    @Test("The timeouts of PUBLISH_OK count", arguments: DraftProfile.all)
    func publishOk(profile: DraftProfile) throws {
        var link = InMemoryLinkConfiguration()
        link.bytesPerSecond = 100_000
        link.congestionWindow = 8_000
        let harness = Harness.established(Variant(profile: profile, subscriber: .server), link: link)
        let consumer = CollectingConsumer()
        harness.subscriberHandler.onPublish = { request in
            request.accept(
                parameters: SubscriptionParameters(forward: true, objectDeliveryTimeout: 300),
                consumer: consumer
            )
        }
        let publisher = harness.publisher.publish(PublishRequest(track: Harness.track)) { _ in }
        harness.run()
        let stream = try #require(publisher.beginSubgroup(SubgroupDescription(group: 0)))
        stream.send(0, pattern(120_000))
        stream.send(1, [1])
        harness.run(.milliseconds(290))
        #expect(harness.publisher.counters.subgroupsTimedOut == 0)
        harness.run(.milliseconds(20))
        #expect(harness.publisher.counters.subgroupsTimedOut == 1)
    }

    @Test("A datagram that waited too long is dropped", arguments: DraftProfile.all)
    func datagrams(profile: DraftProfile) throws {
        for timeout in [100, 800] as [UInt64] {
            let scene = try Scene(profile, object: timeout)
            // Two hundred of 1,000 bytes, and what a packet adds to each, take more than two seconds.
            for id in UInt64(0)..<200 {
                scene.publisher.receive(
                    ObjectDatagram(trackAlias: TrackAlias(0), groupID: 0, objectID: id, publisherPriority: 1),
                    payload: Bytes(pattern(1_000))
                )
            }
            scene.advance(5_000)
            let count = scene.consumer.datagrams.count
            // What the link carries in that time.
            #expect(count >= Int(timeout) / 11 && count <= Int(timeout) / 10 + 1)
            #expect(scene.consumer.datagrams.map(\.header.objectID) == Array(0..<UInt64(count)))
        }
    }
}
