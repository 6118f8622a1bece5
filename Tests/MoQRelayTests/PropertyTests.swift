// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Properties", .timeLimit(.minutes(2)))
struct PropertyTests {
    private static func pairs() throws -> [KeyValuePair] {
        [
            try #require(KeyValuePair(type: 0x38, integer: 1_234)),
            try #require(KeyValuePair(type: 0x39, bytes: [9, 8, 7])),
        ]
    }

    @Test("Properties of a track reach its subscribers, also those of another draft", arguments: DraftPair.all)
    func trackProperties(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        publisher.properties = try PropertyList(Self.pairs())
        _ = publisher.announce("live")
        _ = publisher.publish("live", "offered")
        let subscriber = world.connect(drafts.subscriber)
        world.settle()
        let asked = subscriber.subscribe("live")
        let taken = subscriber.subscribe("live", "offered")
        world.settle()
        let expected = drafts.hasDraft14 ? [] : try Self.pairs()
        #expect(try asked.answer?.properties.pairs() == expected)
        #expect(try taken.answer?.properties.pairs() == expected)
        world.closeAll()
    }

    @Test("The default priority of a track holds for streams that do not carry one", arguments: DraftPair.all)
    func defaultPriority(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        publisher.properties = try PropertyList([try #require(KeyValuePair(type: 0x0e, integer: 50))])
        _ = publisher.announce("live")
        let subscriber = world.connect(drafts.subscriber)
        world.settle()
        let subscribed = subscriber.subscribe("live")
        world.settle()
        let description = SubgroupDescription(group: 0, publisherPriority: 50, hasExplicitPriority: false)
        let stream = try #require(publisher.tracks.first?.publisher?.beginSubgroup(description))
        stream.send(object: 0, size: 10)
        world.settle()
        #expect(subscribed.consumer.subgroups.map(\.publisherPriority) == [50])
        #expect(subscribed.consumer.subgroups.map(\.hasExplicitPriority) == [drafts.hasDraft14])
        world.closeAll()
    }

    @Test("Properties of objects survive, on streams and in datagrams", arguments: DraftPair.all)
    func objectProperties(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        _ = publisher.announce("live")
        let subscriber = world.connect(drafts.subscriber)
        world.settle()
        let subscribed = subscriber.subscribe("live")
        world.settle()
        let other = subscriber.subscribe("live", "datagrams")
        world.settle()
        let properties = try PropertyList(Self.pairs())
        let track = try #require(publisher.tracks.first)
        let stream = try #require(track.open(group: 0, hasProperties: true))
        stream.send(object: 0, size: 10, properties: properties)
        stream.send(object: 1, size: 10)
        try #require(publisher.tracks.last).publisher?.receive(
            ObjectDatagram(trackAlias: TrackAlias(0), groupID: 1, objectID: 0, properties: properties),
            payload: Bytes([1])
        )
        world.settle()
        let objects = subscribed.consumer.objects + other.consumer.objects
        #expect(objects.map(\.location) == [(0, 0), (0, 1), (1, 0)].map { Location(group: $0, object: $1) })
        #expect(try objects.map { try $0.properties.pairs() } == [Self.pairs(), [], Self.pairs()])
        world.closeAll()
    }
}
