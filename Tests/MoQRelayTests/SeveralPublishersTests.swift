// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@testable import MoQRelay

/// Draft-18 §9.3, "Multiple Publishers".
@Suite("Several publishers of one track", .timeLimit(.minutes(2)))
struct SeveralPublishersTests {
    /// A world with publishers of `live` and a subscriber.
    private struct Scene {
        let world: RelayWorld
        let publishers: [TestClient]
        let viewer: Subscribed

        init(
            _ drafts: DraftPair,
            publishers count: Int = 2,
            configuration: MoQRelayConfiguration = MoQRelayConfiguration()
        ) {
            let world = RelayWorld(configuration)
            self.world = world
            self.publishers = (0..<count).map { _ in
                let publisher = world.connect(drafts.publisher)
                _ = publisher.announce("live")
                return publisher
            }
            world.settle()
            self.viewer = world.connect(drafts.subscriber).subscribe("live")
            world.settle()
        }

        func track(_ index: Int) throws -> TestTrack {
            try #require(self.publishers[index].tracks.first)
        }

        /// Sends a group of three objects that is said to be complete.
        func send(_ group: UInt64, from index: Int) throws {
            let stream = try #require(try self.track(index).open(group: group, containsEndOfGroup: true))
            for object in 0..<3 as Range<UInt64> {
                stream.send(object: object, size: 32)
            }
            stream.finish()
            self.world.settle()
        }

        var relay: MoQRelayCounters {
            self.world.relay.counters
        }

        /// Where the objects came that the subscriber got, in the order in which it got them.
        var received: [Location] {
            self.viewer.consumer.locations
        }
    }

    private static let bytes = (0..<100).map { UInt8($0) }

    @Test(
        "Each object comes once, from whoever brings it first, and one that dies inside an object leaves no gap",
        arguments: DraftPair.all
    )
    func death(_ drafts: DraftPair) throws {
        let scene = Scene(drafts)
        let streams = [
            try #require(try scene.track(0).open(group: 0)), try #require(try scene.track(1).open(group: 0)),
        ]
        streams[0].send(object: 0, size: 10)
        streams[0].send(object: 1, size: 10)
        streams[1].send(object: 0, size: 10)
        scene.world.settle()
        #expect(scene.received.map(\.object) == [0, 1])
        // The other one gets ahead.
        for object in 1...3 as ClosedRange<UInt64> {
            streams[1].send(object: object, size: 10)
        }
        scene.world.settle()
        #expect(scene.received.map(\.object) == [0, 1, 2, 3])
        // And falls behind again, inside an object.
        streams[0].send(object: 2, size: 10)
        streams[0].send(object: 3, size: 10)
        for (stream, count) in zip(streams, [60, 20]) {
            stream.beginObject(ObjectHeader(objectID: 4, payloadLength: 100))
            stream.receive(payload: Bytes(Array(Self.bytes[..<count])))
            scene.world.settle()
        }
        #expect(scene.viewer.consumer.objects.last?.payload.count == 60)
        scene.publishers[0].link.sever(.idleTimeout)
        scene.world.settle()
        #expect(scene.viewer.consumer.streamEnds.isEmpty)
        streams[1].receive(payload: Bytes(Array(Self.bytes[20...])))
        streams[1].send(object: 5, size: 10)
        streams[1].finish()
        scene.world.settle()
        #expect(scene.received == locations((0...5).map { (0, $0) }))
        #expect(scene.viewer.consumer.objects.allSatisfy { $0.isComplete })
        #expect(scene.viewer.consumer.objects[4].payload == Self.bytes)
        #expect(scene.viewer.consumer.streamEnds == [.finished])
        #expect(scene.relay.objectsIn == 6)
        #expect(scene.relay.objectsDuplicate == 5)
        #expect(scene.relay.bytesIn == 150)

        try scene.track(1).send(group: 1, count: 2)
        try scene.track(1).end()
        scene.world.settle()
        #expect(scene.received.count == 8)
        #expect(scene.viewer.consumer.ends.map(\.status) == [.trackEnded])
        #expect(scene.viewer.consumer.ends.map(\.streamCount) == [2])
        scene.world.closeAll()
    }

    @Test("One that is groups behind repeats nothing, also when it is left alone", arguments: DraftPair.all)
    func lag(_ drafts: DraftPair) throws {
        let scene = Scene(drafts)
        for group in 0..<5 as Range<UInt64> {
            try scene.send(group, from: 0)
        }
        try scene.send(0, from: 1)
        try scene.send(1, from: 1)
        #expect(scene.relay.objectsDuplicate == 6)
        scene.world.disconnect(scene.publishers[0])
        for group in 2..<7 as Range<UInt64> {
            try scene.send(group, from: 1)
        }
        #expect(scene.received == locations((0..<7).flatMap { group in (0..<3).map { (group, $0) } }))
        #expect(scene.relay.objectsDuplicate == 15)
        #expect(scene.viewer.consumer.streamEnds.count { $0 == .finished } == 7)
        // What several publishers sent is remembered as one track.
        let late = scene.world.connect(drafts.subscriber)
        let fetched = late.fetch(
            "live",
            from: Location(group: 0, object: 0),
            through: .object(Location(group: 5, object: 2))
        )
        scene.world.settle()
        #expect(fetched.locations.count == 18)
        #expect(scene.relay.upstreamFetches == 0)
        scene.world.closeAll()
    }

    @Test(
        "One that is left alone repeats nothing either when a later group overtakes what the other one sent, too",
        arguments: DraftPair.all
    )
    func overtaken(_ drafts: DraftPair) throws {
        let scene = Scene(drafts)
        for group in 0..<3 as Range<UInt64> {
            try scene.send(group, from: 0)
        }
        scene.world.disconnect(scene.publishers[0])
        for group in [3, 1, 0, 4, 2] as [UInt64] {
            try scene.send(group, from: 1)
        }
        #expect(scene.received == locations([0, 1, 2, 3, 4].flatMap { group in (0..<3).map { (group, $0) } }))
        #expect(scene.relay.objectsDuplicate == 9)
        scene.world.closeAll()
    }

    @Test("One that joins later and is ahead does not open a gap", arguments: DraftPair.all)
    func joining(_ drafts: DraftPair) throws {
        let scene = Scene(drafts, publishers: 1)
        let older = try #require(try scene.track(0).open(group: 0))
        for object in 0..<3 as Range<UInt64> {
            older.send(object: object, size: 10)
        }
        scene.world.settle()
        let newer = scene.world.connect(drafts.publisher)
        newer.largest = Location(group: 0, object: 5)
        _ = newer.announce("live")
        scene.world.settle()
        #expect(newer.subscribes.count == 1)
        #expect(scene.world.live.upstreams == 2)
        let stream = try #require(newer.tracks.first?.open(group: 0))
        let other = try #require(newer.tracks.first?.open(group: 0, subgroup: 1))
        stream.send(object: 6, size: 10)
        other.send(object: 8, size: 10)
        scene.world.settle()
        #expect(scene.received.map(\.object) == [0, 1, 2])
        for object in 3...6 as ClosedRange<UInt64> {
            older.send(object: object, size: 10)
        }
        scene.world.settle()
        #expect(scene.received.map(\.object) == [0, 1, 2, 3, 4, 5, 6])
        stream.send(object: 7, size: 10)
        scene.world.settle()
        #expect(scene.received.map(\.object).last == 7)
        // Of the next group either may say where it begins.
        newer.tracks.first?.send(group: 1, count: 2)
        scene.world.settle()
        #expect(scene.received.map(\.group).count { $0 == 1 } == 2)
        older.send(object: 7, size: 10)
        older.finish()
        try scene.track(0).send(group: 1, count: 2)
        scene.world.settle()
        #expect(scene.received.count == 10)
        #expect(scene.viewer.consumer.streamEnds == [.finished, .finished])
        scene.world.closeAll()
    }

    @Test("A subgroup that breaks off waits for the other's copy, but not for ever", arguments: DraftPair.all)
    func patience(_ drafts: DraftPair) throws {
        let scene = Scene(drafts)
        for group in 0..<2 as Range<UInt64> {
            let stream = try #require(try scene.track(0).open(group: group))
            stream.send(object: 0, size: 10)
            stream.send(object: 1, size: 10)
            scene.world.settle()
            stream.reset(.internalError)
        }
        scene.world.advance(.seconds(2))
        #expect(scene.viewer.consumer.streamEnds.isEmpty)
        try scene.track(1).send(group: 0, count: 4, size: 10)
        scene.world.settle()
        #expect(scene.received == locations([(0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (0, 3)]))
        #expect(scene.viewer.consumer.streamEnds == [.finished])
        scene.world.advance(.seconds(4))
        #expect(scene.viewer.consumer.streamEnds == [.finished, .reset(.internalError)])
        // Too late for the stream, but not for the objects.
        try scene.track(1).send(group: 1, count: 3, size: 10)
        scene.world.settle()
        #expect(scene.received.suffix(1) == locations([(1, 2)])[...])
        // The second stream of the subgroup has not got all of it.
        #expect(scene.viewer.consumer.streamEnds == [.finished, .reset(.internalError), .reset(.cancelled)])
        #expect(scene.world.live.subgroups == 0)
        scene.world.closeAll()
    }

    @Test("Datagrams come once", arguments: DraftPair.all)
    func datagrams(_ drafts: DraftPair) throws {
        let scene = Scene(drafts)
        for group in 0..<5 as Range<UInt64> {
            for index in group % 2 == 0 ? [0, 1] : [1, 0] {
                let datagram = ObjectDatagram(
                    trackAlias: TrackAlias(0),
                    groupID: group,
                    objectID: 0,
                    publisherPriority: 7
                )
                try scene.track(index).publisher?.receive(datagram, payload: Bytes([UInt8(group)]))
            }
            scene.world.settle()
        }
        #expect(scene.received == locations((0..<5).map { ($0, 0) }))
        #expect(scene.relay.objectsDuplicate == 5)
        scene.world.closeAll()
    }

    /// What two publishers may not agree about.
    enum Disagreement: CaseIterable, Sendable {
        case payload
        case length
        case priority
        case end
        case datagram
    }

    @Test("Publishers that do not agree make the track malformed", arguments: DraftPair.all, Disagreement.allCases)
    func disagreement(_ drafts: DraftPair, _ kind: Disagreement) throws {
        let scene = Scene(drafts)
        let first = try #require(try scene.track(0).open(group: 1, priority: 5))
        first.send(object: 0, size: 10)
        first.send(object: 1, size: 10)
        if kind == .end {
            first.finish()
        }
        scene.world.settle()
        #expect(scene.relay.cachedBytes > 0)
        if kind == .datagram {
            let datagram = ObjectDatagram(
                trackAlias: TrackAlias(0),
                groupID: 1,
                objectID: 1,
                publisherPriority: 5
            )
            try scene.track(1).publisher?.receive(datagram, payload: Bytes([1]))
        } else {
            let second = try scene.track(1).open(group: 1, priority: kind == .priority ? 6 : 5)
            second?.send(object: 0, size: 10)
            second?.beginObject(ObjectHeader(objectID: 1, payloadLength: kind == .length ? 11 : 10))
            second?.receive(payload: Bytes([UInt8](repeating: kind == .payload ? 2 : 1, count: 10)))
            if kind == .end {
                second?.send(object: 2, size: 10)
            }
        }
        scene.world.settle()
        #expect(scene.viewer.consumer.ends.map(\.status) == [.malformedTrack])
        #expect(scene.received.count == 2)
        #expect(scene.relay.tracksContradicted == 1)
        #expect(scene.relay.cachedBytes == 0)
        #expect(scene.world.live.tracks == 0)
        #expect(scene.world.live.upstreams == 0)
        let ends = try [scene.track(0), scene.track(1)].map(\.ends)
        #expect(ends == [[.cancelledByPeer], [.cancelledByPeer]])
        #expect(scene.publishers.allSatisfy { !$0.isClosed })
        // It begins anew when it is asked for again.
        let again = scene.world.connect(drafts.subscriber).subscribe("live")
        scene.world.settle()
        try #require(scene.publishers[0].tracks.last).send(group: 1, count: 1)
        scene.world.settle()
        #expect(again.consumer.completeLocations.count == 1)
        scene.world.closeAll()
    }

    @Test("No more publishers of a track are used than is configured", arguments: DraftProfile.all)
    func bound(_ profile: DraftProfile) throws {
        let drafts = DraftPair(publisher: profile, subscriber: .draft18)
        let configuration = MoQRelayConfiguration(maximumPublishersPerTrack: 3)
        let scene = Scene(drafts, publishers: 2, configuration: configuration)
        for _ in 0..<3 {
            _ = scene.world.connect(profile).announce("live")
        }
        scene.world.settle()
        #expect(scene.world.live.upstreams == 3)
        let offer = scene.world.connect(profile).publish("live")
        scene.world.settle()
        #expect(offer.results.count == 1)
        #expect((try? offer.results.first?.get()) == nil)
        for index in 0..<2 {
            try scene.track(index).send(group: 0, count: 2)
        }
        scene.world.settle()
        #expect(scene.received.count == 2)
        scene.world.closeAll()
    }

    @Test("What comes is compared only while there are several publishers", arguments: DraftPair.all)
    func alone(_ drafts: DraftPair) throws {
        let scene = Scene(drafts)
        let name = FullTrackName(namespace: TrackNamespace(path: "live"), name: "track")
        #expect(scene.world.relay.tracks[name]?.merge != nil)
        for index in 0..<2 {
            try scene.track(index).send(group: 0, count: 2)
        }
        scene.world.settle()
        scene.world.disconnect(scene.publishers[1])
        #expect(scene.world.relay.tracks[name]?.merge != nil, "it may be behind the other one")
        try scene.track(0).send(group: 1, count: 2)
        scene.world.settle()
        #expect(scene.world.relay.tracks[name]?.merge != nil, "something from before may come late")
        scene.world.advance(.seconds(5))
        #expect(scene.world.relay.tracks[name]?.merge == nil)
        #expect(scene.received == locations([(0, 0), (0, 1), (1, 0), (1, 1)]))
        // And again when another one comes.
        let other = scene.world.connect(drafts.publisher)
        _ = other.announce("live")
        scene.world.settle()
        #expect(scene.world.relay.tracks[name]?.merge != nil)
        for track in [try scene.track(0), try #require(other.tracks.first)] {
            track.send(group: 2, count: 2)
        }
        scene.world.settle()
        #expect(scene.received.count == 6)
        scene.world.closeAll()
    }
}
