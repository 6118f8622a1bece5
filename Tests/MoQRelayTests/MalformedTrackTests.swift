// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport

@Suite("Malformed tracks in a relay", .timeLimit(.minutes(2)))
struct MalformedTrackTests {
    /// The code as it arrives in a draft; draft 14 has none.
    private static func code(in profile: DraftProfile) -> StreamResetCode {
        StreamResetCode(wireValue: StreamResetCode.malformedTrack.wireValue(in: profile), in: profile)
    }

    @Test("Subscribers are told, fetches are reset, and nothing is remembered", arguments: DraftPair.all)
    func subscription(_ drafts: DraftPair) throws {
        let scene = FetchScene(drafts)
        try scene.send(group: 1, count: 2)
        let stream = try #require(try scene.track().open(group: 2))
        stream.send(object: 0, size: 10)
        stream.beginObject(ObjectHeader(objectID: 1, payloadLength: 100))
        stream.receive(payload: Bytes([1, 2, 3]))
        scene.world.settle()
        let early = scene.late.fetch("live", from: Location(group: 1, object: 0), through: .group(1))
        scene.world.settle()
        #expect(early.outcomes == [.complete])
        // Waits for the object that is arriving.
        let waiting = scene.late.fetch("live", from: Location(group: 2, object: 0), through: .group(2))
        scene.world.settle()
        #expect(waiting.locations.first == Location(group: 2, object: 0))
        #expect(waiting.outcomes.isEmpty)
        #expect(scene.world.relay.counters.cachedBytes > 0)

        let other = try #require(try scene.track().open(group: 2, subgroup: 1))
        other.send(object: 0, size: 10)
        scene.world.settle()
        let code = Self.code(in: drafts.subscriber)
        #expect(scene.first.consumer.ends.map(\.status) == [.malformedTrack])
        #expect(scene.first.consumer.ends.map(\.cause) == [.publishDone])
        #expect(scene.first.consumer.streamEnds.contains(.reset(code)))
        #expect(waiting.outcomes == [.reset(code)])
        #expect(early.outcomes == [.complete])
        #expect(scene.world.relay.counters.cachedBytes == 0)
        #expect(scene.world.live.tracks == 0)
        #expect(try scene.track().ends.count == 1)

        // The track can be asked for again, and begins anew.
        let again = scene.viewer.subscribe("live")
        scene.world.settle()
        #expect(again.consumer.ends.isEmpty)
        try #require(scene.publisher.tracks.last).send(group: 3, count: 1)
        scene.world.settle()
        #expect(again.consumer.completeLocations == [Location(group: 3, object: 0)])
        scene.world.closeAll()
    }

    @Test("A fetch from the publisher that is malformed ends the subscriptions, too", arguments: DraftPair.all)
    func fetch(_ drafts: DraftPair) throws {
        let scene = FetchScene(drafts)
        try scene.send(group: 5, count: 1)
        scene.publisher.onFetch = { request in
            let publisher = request.accept(largest: Location(group: 5, object: 0))
            for (object, priority) in [(UInt64(0), UInt8(3)), (1, 4)] {
                let header = FetchObjectHeader(
                    location: Location(group: 1, object: object),
                    subgroupID: 0,
                    publisherPriority: priority,
                    payloadLength: 1
                )
                publisher.beginObject(header)
                publisher.receive(payload: Bytes([1]))
            }
        }
        let fetched = scene.late.fetch("live", from: Location(group: 1, object: 0), through: .group(2))
        scene.world.settle()
        if drafts.subscriber == .draft14 {
            // The answer waited for the first object, and the stream is reset before it says whose it is.
            scene.world.advance(.seconds(31))
            #expect(fetched.outcomes == [.reset(.deliveryTimeout)])
        } else {
            #expect(fetched.outcomes == [.reset(Self.code(in: drafts.subscriber))])
        }
        #expect(scene.first.consumer.ends.map(\.status) == [.malformedTrack])
        #expect(scene.world.relay.counters.cachedBytes == 0)
        #expect(scene.world.live.tracks == 0)
        scene.world.closeAll()
    }
}
