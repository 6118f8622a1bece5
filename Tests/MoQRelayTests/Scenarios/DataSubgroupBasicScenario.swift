// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Interop scenario: data-subgroup-basic", .timeLimit(.minutes(2)))
struct DataSubgroupBasicScenario {
    /// The track lies sixteen fields below what was announced.
    static let suffix = ["moq-test-00", "0", "0", "0", "2", "4", "5", "64", "32", "2", "1", "1", "0", "-1", "-1", "0"]

    @Test("Three groups of five objects arrive as they were sent", arguments: DraftPair.all)
    func dataSubgroupBasic(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        let announced = publisher.announce("moq-test/data-subgroup-basic/0011")
        let subscriber = world.connect(drafts.subscriber)
        world.settle()
        #expect(announced.isAccepted)

        let namespace = TrackNamespace(["moq-test", "data-subgroup-basic", "0011"] + Self.suffix)
        let subscribed = subscriber.subscribe(FullTrackName(namespace: namespace, name: "track"))
        world.settle()
        #expect(subscribed.answer != nil)
        #expect(publisher.subscribes.map(\.track.namespace) == [namespace])

        let track = try #require(publisher.tracks.first)
        for group in 0..<3 as Range<UInt64> {
            let stream = try #require(track.open(group: group))
            for object in 0..<5 as Range<UInt64> {
                stream.send(object: object, size: object == 0 ? 64 : 32)
            }
            stream.finish()
            world.settle()
        }
        track.end()
        world.settle()

        let consumer = subscribed.consumer
        #expect(consumer.completeLocations.count == 15)
        #expect(Set(consumer.locations).count == 15)
        #expect(consumer.locations == consumer.locations.sorted())
        #expect(consumer.objects.allSatisfy { $0.subgroup == 0 && $0.priority == 128 })
        for object in consumer.objects {
            #expect(object.payload.count == (object.object == 0 ? 64 : 32))
            #expect(object.payload.allSatisfy { $0 == UInt8(object.object) })
        }
        #expect(consumer.ends.map(\.status) == [.trackEnded])
        #expect(consumer.ends.map(\.cause) == [.publishDone])
        #expect(consumer.ends.map(\.streamCount) == [3])
        #expect(consumer.subgroups.count == 3)
        #expect(world.live.tracks == 0)
        world.closeAll()
    }
}
