// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("What a relay remembers for fetches", .timeLimit(.minutes(2)))
struct RelayMemoryTests {
    @Test("What the track allows to be remembered for so long is asked for again after that", arguments: DraftPair.all)
    func maximumDuration(_ drafts: DraftPair) throws {
        let properties = try PropertyList([
            try #require(KeyValuePair(type: PropertyType.maxCacheDuration, integer: 3_000))
        ])
        let scene = FetchScene(drafts, properties: properties)
        try scene.send(group: 1, count: 2)
        scene.publisher.onFetch = { request in
            let publisher = request.accept(largest: Location(group: 1, object: 1))
            publisher.send(1, 0)
            publisher.send(1, 1)
            publisher.finish()
        }
        let range = (from: Location(group: 1, object: 0), through: FetchEnd.object(Location(group: 1, object: 1)))
        let early = scene.late.fetch("live", from: range.from, through: range.through)
        scene.world.settle()
        #expect(early.locations.count == 2)
        #expect(scene.publisher.fetches.isEmpty)
        scene.world.advance(.seconds(4))
        let late = scene.late.fetch("live", from: range.from, through: range.through)
        scene.world.settle()
        #expect(late.locations.count == 2)
        #expect(scene.publisher.fetches.count == 1)
        scene.world.closeAll()
    }

    @Test("What was thrown out is asked for; a relay without memory asks for everything", arguments: [0, 20_000])
    func evicted(size: Int) throws {
        let scene = FetchScene(
            DraftPair(publisher: .draft18, subscriber: .draft16),
            configuration: MoQRelayConfiguration(maximumCachedBytes: size)
        )
        for group in UInt64(0)..<10 {
            try scene.send(group: group, count: 1, size: 5_000)
        }
        #expect(scene.world.relay.counters.cachedBytes <= size)
        #expect((scene.world.relay.counters.cacheEvictions > 0) == (size > 0))
        scene.publisher.onFetch = { request in
            let publisher = request.accept(largest: Location(group: 9, object: 0))
            for group in UInt64(0)..<10 where group >= request.start.group && group <= request.end.location.group {
                publisher.send(group, 0, size: 5_000)
            }
            publisher.finish()
        }
        let fetched = scene.late.fetch("live", through: .group(9))
        scene.world.settle()
        #expect(fetched.locations == (0..<10).map { Location(group: $0, object: 0) })
        #expect(fetched.gaps.isEmpty)
        #expect(!scene.publisher.fetches.isEmpty)
        #expect((scene.world.relay.counters.cacheHits > 0) == (size > 0))
        scene.world.closeAll()
    }

    @Test("How far a track is that nobody takes objects of, the publisher is asked", arguments: DraftPair.all)
    func paused(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        _ = publisher.announce("live")
        publisher.largest = Location(group: 3, object: 1)
        let track = publisher.publish("live")
        world.settle()
        #expect(track.results.count == 1)
        // Meanwhile the track has gone on.
        publisher.onFetch = { request in
            let publisher = request.accept(largest: Location(group: 7, object: 0))
            for group in UInt64(4)...7 {
                publisher.send(group, 0)
            }
            publisher.finish()
        }
        let client = world.connect(drafts.subscriber)
        let fetched = client.fetch("live", from: Location(group: 4, object: 0), through: .group(9))
        world.settle()
        #expect(fetched.answer?.end == .object(Location(group: 7, object: 0)))
        #expect(fetched.locations.map(\.group) == [4, 5, 6, 7])
        #expect(fetched.outcomes == [.complete])
        world.closeAll()
    }

    @Test("Properties that a FETCH_OK leaves out stay as they were known")
    func propertiesStay() throws {
        let properties = try PropertyList([
            try #require(KeyValuePair(type: PropertyType.maxCacheDuration, integer: 3_000))
        ])
        let scene = FetchScene(DraftPair(publisher: .draft18, subscriber: .draft18), properties: properties)
        scene.publisher.onFetch = { request in
            let publisher = request.accept(largest: Location(group: 1, object: 0))
            publisher.send(1, 0)
            publisher.finish()
        }
        try scene.send(group: 1, count: 1)
        let only = FetchEnd.object(Location(group: 1, object: 0))
        for count in 1...2 {
            scene.world.advance(.seconds(4))
            _ = scene.late.fetch("live", from: Location(group: 1, object: 0), through: only)
            scene.world.settle()
            #expect(scene.publisher.fetches.count == count)
        }
        scene.world.closeAll()
    }

    @Test("Datagrams are remembered as such", arguments: DraftPair.all)
    func datagrams(_ drafts: DraftPair) throws {
        let scene = FetchScene(drafts)
        let publisher = try #require(try scene.track().publisher)
        for object in UInt64(0)..<2 {
            var datagram = ObjectDatagram(trackAlias: publisher.trackAlias, groupID: 4, objectID: object)
            datagram.publisherPriority = 3
            datagram.endsGroup = object == 1
            publisher.receive(datagram, payload: Bytes([1, 2]))
        }
        scene.world.settle()
        let fetched = scene.late.fetch("live", from: Location(group: 4, object: 0), through: .group(4))
        scene.world.settle()
        #expect(
            fetched.events
                == (0..<2).map {
                    .object(
                        Location(group: 4, object: $0),
                        // On draft 14 a datagram is like a subgroup with the id of its only object.
                        subgroup: drafts.subscriber == .draft14 ? $0 : nil,
                        priority: 3,
                        payload: [1, 2]
                    )
                }
        )
        #expect(scene.publisher.fetches.isEmpty)
        scene.world.closeAll()
    }

    @Test("An object that is still arriving is waited for")
    func arriving() throws {
        let scene = FetchScene(DraftPair(publisher: .draft18, subscriber: .draft18))
        let stream = try #require(try scene.track().open(group: 1, containsEndOfGroup: true))
        stream.beginObject(ObjectHeader(objectID: 0, payloadLength: 4))
        stream.receive(payload: Bytes([1, 2]))
        scene.world.settle()
        let fetched = scene.late.fetch("live", from: Location(group: 1, object: 0), through: .group(1))
        scene.world.settle()
        #expect(fetched.answer?.end == .object(Location(group: 1, object: 0)))
        #expect(fetched.events.isEmpty)
        stream.receive(payload: Bytes([3, 4]))
        scene.world.settle()
        #expect(
            fetched.events == [
                .object(Location(group: 1, object: 0), subgroup: 0, priority: 128, payload: [1, 2, 3, 4])
            ]
        )
        #expect(fetched.outcomes == [.complete])
        scene.world.closeAll()
    }
}
