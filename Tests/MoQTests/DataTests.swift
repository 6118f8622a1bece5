// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Objects", .timeLimit(.minutes(2)))
struct DataTests {
    @Test(
        "Subgroups arrive whole over small packets, with loss, and PUBLISH_DONE counts them",
        arguments: Variant.all,
        [0.0, 0.1]
    )
    func wholePath(variant: Variant, loss: Double) throws {
        var link = InMemoryLinkConfiguration()
        link.packetSize = 113
        link.loss = loss
        let harness = Harness.established(variant, link: link)
        let consumer = CollectingConsumer()
        harness.run(.seconds(5))
        let (subscription, publisher) = try harness.subscribe(consumer: consumer)
        harness.run(.seconds(5))
        let delegate = RecordingDelegate()
        publisher.delegate = delegate
        var expected: [Content] = []
        for group in UInt64(0)..<5 {
            let payloads = [pattern(64, seed: UInt8(group)), [], pattern(3_000), pattern(1)]
            publisher.send(group: group, payloads)
            for (index, payload) in payloads.enumerated() {
                expected.append(Content(group: group, id: UInt64(index), payload: payload))
            }
        }
        publisher.end()
        harness.run(.seconds(60))

        let contents = consumer.contents.sorted { ($0.group, $0.id) < ($1.group, $1.id) }
        #expect(contents == expected)
        #expect(consumer.subgroups.allSatisfy { $0.ends == [.finished] })
        #expect(consumer.subgroups.allSatisfy { $0.description.publisherPriority == 128 })
        #expect(consumer.ends == [TrackEnd(status: .trackEnded, streamCount: 5)])
        #expect(subscription.streamCount == 5)
        #expect(delegate.ends == [.finished])
        harness.expectNothingLive()
    }

    @Test("Parts of an object are handed on before the object is complete", arguments: Variant.all)
    func partial(variant: Variant) throws {
        let harness = Harness.established(variant)
        let consumer = CollectingConsumer()
        let (_, publisher) = try harness.subscribe(consumer: consumer)
        let subgroup = try #require(
            publisher.beginSubgroup(
                SubgroupDescription(group: 3, subgroup: 9, publisherPriority: 17, containsEndOfGroup: true)
            )
        )
        let payload = pattern(10)
        subgroup.beginObject(ObjectHeader(objectID: 5, payloadLength: 10))
        subgroup.receive(payload: Bytes(Array(payload[0..<4])))
        harness.run()
        #expect(consumer.contents == [Content(group: 3, id: 5, payload: Array(payload[0..<4]))])
        subgroup.receive(payload: Bytes(Array(payload[4...])))
        subgroup.finish()
        harness.run()
        #expect(consumer.contents == [Content(group: 3, id: 5, payload: payload)])
        let description = try #require(consumer.subgroups.first?.description)
        #expect(description.subgroup == 9)
        #expect(description.publisherPriority == 17)
        #expect(description.hasExplicitPriority)
        #expect(description.containsEndOfGroup)
        #expect(description.isFirstObject == (variant.profile == .draft18))
        #expect(consumer.subgroups.first?.objects.first?.parts == 2)
    }

    @Test("A subgroup without a priority of its own has the track's", arguments: Variant.all)
    func defaultPriority(variant: Variant) throws {
        let harness = Harness.established(variant)
        let consumer = CollectingConsumer()
        let pair = try #require(KeyValuePair(type: PropertyType.defaultPublisherPriority, integer: 7))
        let (_, publisher) = try harness.subscribe(properties: try PropertyList([pair]), consumer: consumer)
        let subgroup = publisher.beginSubgroup(
            SubgroupDescription(group: 0, publisherPriority: 9, hasExplicitPriority: false)
        )
        subgroup?.send(0, [1])
        subgroup?.finish()
        harness.run()
        // Draft 14 has neither a default nor a way to leave the priority out.
        let isOld = variant.profile == .draft14
        #expect(consumer.subgroups.map(\.description.publisherPriority) == [isOld ? 9 : 7])
        #expect(consumer.subgroups.map(\.description.hasExplicitPriority) == [isOld])
    }

    @Test("Properties and statuses survive", arguments: Variant.all)
    func propertiesAndStatus(variant: Variant) throws {
        let harness = Harness.established(variant)
        let consumer = CollectingConsumer()
        let (_, publisher) = try harness.subscribe(consumer: consumer)
        let pair = try #require(KeyValuePair(type: 0x3C, integer: 2))
        let properties = try PropertyList([pair], coding: variant.profile.coding)
        let subgroup = publisher.beginSubgroup(SubgroupDescription(group: 5, hasProperties: true))
        subgroup?.beginObject(ObjectHeader(objectID: 0, properties: properties, payloadLength: 2))
        subgroup?.receive(payload: [1, 2])
        subgroup?.beginObject(ObjectHeader(objectID: 1, payloadLength: 0, status: .endOfGroup))
        subgroup?.finish()
        harness.run()
        let objects = try #require(consumer.subgroups.first?.objects)
        #expect(objects.map(\.header.status) == [.normal, .endOfGroup])
        #expect(objects.first?.header.properties == properties)
    }

    @Test("A reset reaches the consumer with its code, and counts as a stream", arguments: Variant.all)
    func reset(variant: Variant) throws {
        let harness = Harness.established(variant)
        let consumer = CollectingConsumer()
        let (_, publisher) = try harness.subscribe(consumer: consumer)
        let subgroup = publisher.beginSubgroup(SubgroupDescription(group: 0))
        subgroup?.send(0, [1, 2, 3])
        harness.run()
        subgroup?.reset(.deliveryTimeout)
        publisher.end()
        harness.run()
        #expect(consumer.subgroups.map(\.ends) == [[.reset(.deliveryTimeout)]])
        #expect(consumer.ends == [TrackEnd(status: .trackEnded, streamCount: 1)])
        harness.expectNothingLive()
    }

    @Test("Datagrams go both the plain and the status way", arguments: Variant.all)
    func datagrams(variant: Variant) throws {
        let harness = Harness.established(variant)
        let consumer = CollectingConsumer()
        let (_, publisher) = try harness.subscribe(consumer: consumer)
        let header = ObjectDatagram(trackAlias: TrackAlias(99), groupID: 1, objectID: 2, publisherPriority: 5)
        publisher.receive(header, payload: [1, 2, 3])
        var status = header
        status.objectID = 3
        status.status = .endOfTrack
        publisher.receive(status, payload: Bytes())
        publisher.receive(header, payload: Bytes(pattern(5_000)))
        harness.run()
        #expect(consumer.datagrams.map(\.payload) == [[1, 2, 3], []])
        #expect(consumer.datagrams.map(\.header.objectID) == [2, 3])
        #expect(consumer.datagrams.map(\.header.status) == [.normal, .endOfTrack])
        #expect(consumer.datagrams.first?.header.publisherPriority == 5)
        #expect(harness.publisher.counters.datagramsNotSent == 1)
        publisher.end()
        // The end waits for datagrams that it may have overtaken.
        harness.run(.milliseconds(200))
        #expect(consumer.ends == [TrackEnd(status: .trackEnded, streamCount: 0)])
    }

    @Test("A subgroup that is not wanted is stopped, and the others go on", arguments: Variant.all)
    func notWanted(variant: Variant) throws {
        let harness = Harness.established(variant)
        let consumer = CollectingConsumer()
        consumer.wants = { $0.group != 1 }
        let (_, publisher) = try harness.subscribe(consumer: consumer)
        let delegate = RecordingDelegate()
        publisher.delegate = delegate
        let unwanted = publisher.beginSubgroup(SubgroupDescription(group: 1))
        unwanted?.send(0, pattern(50))
        harness.run()
        unwanted?.send(1, pattern(50))
        unwanted?.finish()
        publisher.send(group: 2, [[7]])
        publisher.end()
        harness.run()
        #expect(consumer.contents == [Content(group: 2, id: 0, payload: [7])])
        #expect(consumer.ends == [TrackEnd(status: .trackEnded, streamCount: 2)])
        #expect(delegate.ends == [.finished])
        #expect(harness.subscriber.counters.streamsStopped == 1)
        harness.expectNothingLive()
    }

    @Test("A paused subscription holds the publisher back, and resumes without loss", arguments: Variant.all)
    func pause(variant: Variant) throws {
        let harness = Harness.established(variant)
        let consumer = CollectingConsumer()
        let (subscription, publisher) = try harness.subscribe(consumer: consumer)
        let delegate = RecordingDelegate()
        publisher.delegate = delegate
        subscription.pause()
        let payload = pattern(200_000)
        let subgroup = try #require(publisher.beginSubgroup(SubgroupDescription(group: 0)))
        for id in UInt64(0)..<20 {
            subgroup.send(id, payload)
        }
        #expect(publisher.isAboveHighWatermark)
        harness.run(.seconds(2))
        #expect(consumer.contents.isEmpty)
        #expect(publisher.queuedByteCount > 2_000_000)
        #expect(delegate.drains == 0)
        subscription.resume()
        harness.run(.seconds(2))
        #expect(delegate.drains == 1)
        #expect(!publisher.isAboveHighWatermark)
        subgroup.finish()
        publisher.end()
        harness.run()
        #expect(consumer.contents.map(\.payload) == Array(repeating: payload, count: 20))
        #expect(consumer.ends.count == 1)
    }

    @Test("Pausing from inside a payload call stops at once", arguments: Variant.all)
    func pauseInside(variant: Variant) throws {
        let harness = Harness.established(variant)
        let consumer = CollectingConsumer()
        let (subscription, publisher) = try harness.subscribe(consumer: consumer)
        consumer.onPayload = { subscription.pause() }
        let subgroup = try #require(publisher.beginSubgroup(SubgroupDescription(group: 0)))
        for id in UInt64(0)..<3 {
            subgroup.send(id, [UInt8(id)])
        }
        harness.run()
        #expect(consumer.contents.count == 1)
        subscription.resume()
        harness.run()
        #expect(consumer.contents.count == 2)
        consumer.onPayload = nil
        subscription.resume()
        subgroup.finish()
        harness.run()
        #expect(consumer.contents.map(\.payload) == [[0], [1], [2]])
        #expect(consumer.subgroups.map(\.ends) == [[.finished]])
    }

    @Test("An object that is cut short by its publisher resets the subgroup", arguments: Variant.all)
    func incomplete(variant: Variant) throws {
        let harness = Harness.established(variant)
        let consumer = CollectingConsumer()
        let (_, publisher) = try harness.subscribe(consumer: consumer)
        let subgroup = try #require(publisher.beginSubgroup(SubgroupDescription(group: 0)))
        subgroup.beginObject(ObjectHeader(objectID: 0, payloadLength: 10))
        subgroup.receive(payload: [1])
        harness.run()
        subgroup.finish()
        harness.run()
        #expect(consumer.subgroups.map(\.ends) == [[.reset(.internalError)]])
        #expect(harness.subscriber.isOpen)
    }
}

@Suite("The end of a publisher", .timeLimit(.minutes(2)))
struct PublisherEndTests {
    @Test("PUBLISH_DONE waits for a subgroup that has begun, even without an object", arguments: Variant.all)
    func waitsForSubgroup(variant: Variant) throws {
        let harness = Harness.established(variant)
        let consumer = CollectingConsumer()
        let (_, publisher) = try harness.subscribe(consumer: consumer)
        let delegate = RecordingDelegate()
        publisher.delegate = delegate
        let subgroup = try #require(publisher.beginSubgroup(SubgroupDescription(group: 0)))
        publisher.end()
        #expect(publisher.isEnded)
        #expect(publisher.beginSubgroup(SubgroupDescription(group: 1)) == nil)
        harness.run()
        #expect(consumer.ends.isEmpty)
        subgroup.send(0, [1])
        harness.run()
        #expect(consumer.contents.count == 1)
        #expect(consumer.ends.isEmpty)
        subgroup.finish()
        harness.run()
        #expect(consumer.ends == [TrackEnd(status: .trackEnded, streamCount: 1)])
        #expect(delegate.ends == [.finished])
    }

    @Test("An empty subgroup is announced by a stream without objects", arguments: Variant.all)
    func emptySubgroup(variant: Variant) throws {
        let harness = Harness.established(variant)
        let consumer = CollectingConsumer()
        let (_, publisher) = try harness.subscribe(consumer: consumer)
        publisher.send(group: 4, [])
        publisher.end()
        harness.run()
        #expect(consumer.subgroups.map(\.description.group) == [4])
        #expect(consumer.subgroups.map(\.ends) == [[.finished]])
        #expect(consumer.ends == [TrackEnd(status: .trackEnded, streamCount: 1)])
    }

    @Test("When everything is over, nothing holds on to anything", arguments: Variant.all, [true, false])
    func noLeaks(variant: Variant, byClose: Bool) throws {
        weak var client: MoQSession?
        weak var server: MoQSession?
        weak var weakConsumer: CollectingConsumer?
        weak var weakPublisher: TrackPublisher?
        weak var weakSubscription: Subscription?
        do {
            let harness = Harness.established(variant)
            client = harness.client
            server = harness.server
            let consumer = CollectingConsumer()
            weakConsumer = consumer
            let (subscription, publisher) = try harness.subscribe(consumer: consumer)
            weakPublisher = publisher
            weakSubscription = subscription
            harness.publisherHandler.onFeed = { $0.accept() }
            harness.subscriber.subscribeNamespace(
                TrackNamespace(path: "a"),
                events: { _ in },
                response: { _ in }
            )
            harness.subscriberHandler.onAnnouncement = { $0.accept() }
            harness.publisher.publishNamespace(TrackNamespace(path: "a")) { _ in }
            publisher.beginSubgroup(SubgroupDescription(group: 0))?.send(0, [1, 2, 3])
            _ = publisher.beginSubgroup(SubgroupDescription(group: 1))
            harness.run()
            if byClose {
                harness.client.close()
            } else {
                harness.link.sever(.other)
            }
            harness.run(.seconds(20))
            #expect(harness.loop.counters.liveTimers == 0)
            harness.publisherHandler.onSubscribe = nil
        }
        #expect(client == nil)
        #expect(server == nil)
        #expect(weakConsumer == nil)
        #expect(weakPublisher == nil)
        #expect(weakSubscription == nil)
    }
}
