// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Fan-out", .timeLimit(.minutes(2)))
struct FanOutTests {
    @Test("Many subscribers share one upstream subscription and all get everything", arguments: DraftPair.all)
    func oneUpstream(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        _ = publisher.announce("live")
        world.settle()
        // Half of them before the publisher's answer, half after it.
        var subscribed: [Subscribed] = []
        let early = (0..<4).map { _ in world.connect(drafts.subscriber) }
        subscribed += early.map { $0.subscribe("live") }
        world.settle()
        let late = (0..<4).map { _ in world.connect(drafts.subscriber) }
        subscribed += late.map { $0.subscribe("live") }
        world.settle()

        #expect(publisher.subscribes.count == 1)
        #expect(world.live.upstreams == 1)
        #expect(world.live.subscribers == 8)
        #expect(subscribed.allSatisfy { $0.answer != nil })

        let track = try #require(publisher.tracks.first)
        track.send(group: 0, count: 10, size: 1_000)
        track.send(group: 1, count: 10, size: 1_000)
        world.settle()
        for one in subscribed {
            #expect(one.consumer.completeLocations.count == 20)
            #expect(one.consumer.byteCount == 20_000)
        }
        let counters = world.relay.counters
        #expect(counters.objectsIn == 20)
        #expect(counters.bytesIn == 20_000)
        #expect(counters.objectsOut == 160)
        #expect(counters.bytesOut == 160_000)
        #expect(counters.upstreamSubscribes == 1)
        world.closeAll()
    }

    @Test("A part of an object is forwarded before the rest exists", arguments: DraftPair.all)
    func partialObject(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        _ = publisher.announce("live")
        world.settle()
        let subscribed = world.connect(drafts.subscriber).subscribe("live")
        world.settle()
        let stream = try #require(publisher.tracks.first?.open(group: 0))
        stream.beginObject(ObjectHeader(objectID: 0, payloadLength: 100))
        stream.receive(payload: Bytes([UInt8](repeating: 1, count: 40)))
        world.settle()
        #expect(subscribed.consumer.objects.map(\.payload.count) == [40])
        #expect(subscribed.consumer.objects.map(\.isComplete) == [false])
        stream.receive(payload: Bytes([UInt8](repeating: 2, count: 60)))
        world.settle()
        #expect(subscribed.consumer.objects.map(\.isComplete) == [true])
        #expect(subscribed.consumer.streamEnds.isEmpty)
        stream.finish()
        world.settle()
        #expect(subscribed.consumer.streamEnds == [.finished])
        world.closeAll()
    }

    @Test("Subgroups, priorities, the end of a group and status objects survive", arguments: DraftPair.all)
    func headersSurvive(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        _ = publisher.announce("live")
        world.settle()
        let subscribed = world.connect(drafts.subscriber).subscribe("live")
        world.settle()
        let track = try #require(publisher.tracks.first)
        let low = try #require(track.open(group: 7, subgroup: 0, priority: 10))
        let high = try #require(track.open(group: 7, subgroup: 3, priority: 200, containsEndOfGroup: true))
        low.send(object: 0, size: 5)
        high.send(object: 3, size: 0)
        low.send(object: 1, size: 5)
        high.beginObject(ObjectHeader(objectID: 9, payloadLength: 0, status: .endOfGroup))
        low.finish()
        high.finish()
        world.settle()

        let consumer = subscribed.consumer
        let lowStream = try #require(consumer.subgroups.first { $0.subgroup == 0 })
        let highStream = try #require(consumer.subgroups.first { $0.subgroup == 3 })
        #expect(lowStream.publisherPriority == 10)
        #expect(!lowStream.containsEndOfGroup)
        #expect(highStream.publisherPriority == 200)
        #expect(highStream.containsEndOfGroup)
        #expect(lowStream.group == 7)
        #expect(consumer.objects.filter { $0.subgroup == 3 }.map(\.object) == [3, 9])
        #expect(consumer.objects.filter { $0.subgroup == 3 }.map(\.status) == [.normal, .endOfGroup])
        #expect(consumer.objects.filter { $0.subgroup == 0 }.map(\.object) == [0, 1])
        if drafts.publisher.version == .draft18, drafts.subscriber.version == .draft18 {
            #expect(consumer.subgroups.allSatisfy { $0.isFirstObject })
        }
        world.closeAll()
    }

    @Test("A reset of the publisher's stream reaches the subscriber", arguments: DraftPair.all)
    func resetIsForwarded(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        _ = publisher.announce("live")
        world.settle()
        let subscribed = world.connect(drafts.subscriber).subscribe("live")
        world.settle()
        let stream = try #require(publisher.tracks.first?.open(group: 0))
        stream.send(object: 0, size: 10)
        world.settle()
        stream.reset(.deliveryTimeout)
        world.settle()
        #expect(subscribed.consumer.streamEnds == [.reset(.deliveryTimeout)])
        #expect(world.live.subgroups == 0)
        #expect(world.live.subscribers == 1)
        world.closeAll()
    }

    @Test("Objects in datagrams stay in datagrams", arguments: DraftPair.all)
    func datagrams(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        _ = publisher.announce("live")
        world.settle()
        let subscribed = [
            world.connect(drafts.subscriber).subscribe("live"), world.connect(drafts.subscriber).subscribe("live"),
        ]
        world.settle()
        let track = try #require(publisher.tracks.first)
        for object in 0..<10 as Range<UInt64> {
            let datagram = ObjectDatagram(
                trackAlias: TrackAlias(0),
                groupID: 4,
                objectID: object,
                publisherPriority: 77,
                endsGroup: object == 9
            )
            track.publisher?.receive(datagram, payload: Bytes([UInt8](repeating: UInt8(object), count: 50)))
        }
        world.settle()
        for one in subscribed {
            #expect(one.consumer.subgroups.isEmpty)
            #expect(one.consumer.objects.map(\.object) == Array(0..<10))
            #expect(one.consumer.objects.allSatisfy { $0.priority == 77 && $0.group == 4 && $0.payload.count == 50 })
        }
        #expect(world.relay.counters.objectsIn == 10)
        #expect(world.relay.counters.objectsOut == 20)
        let late = world.connect(drafts.subscriber).subscribe("live")
        world.settle()
        #expect(late.answer?.largestObject == Location(group: 4, object: 9))
        world.closeAll()
    }

    @Test("Megabytes arrive byte by byte, over links that lose packets", arguments: DraftPair.all)
    func longTransfer(_ drafts: DraftPair) throws {
        var link = InMemoryLinkConfiguration()
        link.loss = 0.02
        let world = RelayWorld()
        link.seed = 1
        let publisher = world.connect(drafts.publisher, link: link)
        _ = publisher.announce("file")
        link.seed = 2
        let subscriber = world.connect(drafts.subscriber, link: link)
        world.settle()
        let subscribed = subscriber.subscribe("file")
        world.settle()
        let track = try #require(publisher.tracks.first)
        var random = SeededGenerator(seed: 3)
        var sent: [Location: [UInt8]] = [:]
        for group in 0..<8 as Range<UInt64> {
            let stream = try #require(track.open(group: group))
            for object in 0..<8 as Range<UInt64> {
                let length = Int.random(in: 0...100_000, using: &random)
                let payload = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ Int(group * 8 + object)) }
                sent[Location(group: group, object: object)] = payload
                stream.beginObject(ObjectHeader(objectID: object, payloadLength: UInt64(length)))
                if length > 0 {
                    stream.receive(payload: Bytes(payload))
                }
            }
            stream.finish()
        }
        track.end()
        world.advance(.seconds(60))
        #expect(subscribed.consumer.ends.map(\.status) == [.trackEnded])
        #expect(subscribed.consumer.ends.map(\.streamCount) == [8])
        let received = Dictionary(uniqueKeysWithValues: subscribed.consumer.objects.map { ($0.location, $0.payload) })
        #expect(received == sent)
        world.closeAll()
    }

    @Test("An endpoint may subscribe to what it publishes itself", arguments: DraftProfile.all)
    func selfSubscription(_ draft: DraftProfile) throws {
        let world = RelayWorld()
        let client = world.connect(draft)
        _ = client.announce("loop")
        world.settle()
        let subscribed = client.subscribe("loop")
        world.settle()
        #expect(subscribed.answer != nil)
        try #require(client.tracks.first).send(group: 0, count: 3)
        world.settle()
        #expect(subscribed.consumer.completeLocations.count == 3)
        world.closeAll()
    }
}
