// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQProtocol
import MoQWire
import Testing

@Suite("Malformed tracks, object by object")
struct TrackIntegrityTests {
    /// The objects of a track, as one subscription gets them.
    private struct Track {
        var integrity: TrackIntegrity
        let profile: DraftProfile

        init(_ profile: DraftProfile) {
            self.profile = profile
            self.integrity = TrackIntegrity(profile: profile)
        }

        mutating func open(_ group: UInt64, _ subgroup: UInt64 = 0, priority: UInt8 = 128) throws -> SubgroupWatch {
            try self.integrity.openSubgroup(subgroup, ofGroup: group, priority: priority)
        }

        mutating func send(
            _ id: UInt64,
            _ payload: [UInt8] = [1],
            in watch: SubgroupWatch,
            properties: [(UInt64, UInt64)] = [],
            parts: Int = 1
        ) throws {
            let header = ObjectHeader(
                objectID: id,
                properties: try self.list(properties),
                payloadLength: UInt64(payload.count)
            )
            try self.integrity.begin(header, in: watch)
            guard !payload.isEmpty else {
                return
            }
            let size = (payload.count + parts - 1) / parts
            for start in stride(from: 0, to: payload.count, by: size) {
                let end = min(start + size, payload.count)
                let part = Array(payload[start..<end])
                try unsafe self.integrity.receive(payload: part.span.bytes, isLast: end == payload.count, in: watch)
            }
        }

        mutating func receive(_ part: [UInt8], isLast: Bool, in watch: SubgroupWatch) throws {
            try unsafe self.integrity.receive(payload: part.span.bytes, isLast: isLast, in: watch)
        }

        mutating func status(_ status: ObjectStatus, at id: UInt64, in watch: SubgroupWatch) throws {
            try self.integrity.begin(ObjectHeader(objectID: id, payloadLength: 0, status: status), in: watch)
        }

        mutating func finish(_ watch: SubgroupWatch, endsGroup: Bool = false) throws {
            try self.integrity.finish(watch, containsEndOfGroup: endsGroup)
        }

        mutating func datagram(
            _ group: UInt64,
            _ id: UInt64,
            _ payload: [UInt8] = [1],
            priority: UInt8 = 128,
            endsGroup: Bool = false
        ) throws {
            let datagram = ObjectDatagram(
                trackAlias: TrackAlias(1),
                groupID: group,
                objectID: id,
                endsGroup: endsGroup
            )
            try unsafe self.integrity.receive(datagram, payload: payload.span.bytes, priority: priority)
        }

        func list(_ properties: [(UInt64, UInt64)]) throws -> PropertyList {
            let pairs = try properties.map { try #require(KeyValuePair(type: $0.0, integer: $0.1)) }
            return try PropertyList(pairs, coding: self.profile.coding)
        }
    }

    private static func expectMalformed(
        _ profile: DraftProfile,
        sound: (inout Track) throws -> Void = { _ in },
        offence: (inout Track) throws -> Void,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        var track = Track(profile)
        try sound(&track)
        #expect(throws: MalformedTrack.self, sourceLocation: sourceLocation) {
            try offence(&track)
        }
    }

    @Test("M1: one object with two payloads, priorities, subgroups or ways of sending", arguments: DraftProfile.all)
    func duplicates(profile: DraftProfile) throws {
        let long = Array(0..<100 as Range<UInt8>)
        var other = long
        other[57] ^= 1
        for payload in [other, Array(long.dropLast())] {
            try Self.expectMalformed(profile) { track in
                try track.send(3, long, in: try track.open(1))
            } offence: { track in
                try track.send(3, payload, in: try track.open(1), parts: 7)
            }
            try Self.expectMalformed(profile) { track in
                try track.datagram(1, 3, long)
            } offence: { track in
                try track.datagram(1, 3, payload)
            }
        }
        try Self.expectMalformed(profile) { track in
            try track.datagram(1, 3, priority: 7)
        } offence: { track in
            try track.datagram(1, 3, priority: 8)
        }
        try Self.expectMalformed(profile) { track in
            let even = try track.open(1, 0)
            for id in 0..<50 as Range<UInt64> {
                try track.send(id * 2, in: even)
            }
        } offence: { track in
            try track.send(46, in: try track.open(1, 1))
        }
        try Self.expectMalformed(profile) { track in
            try track.datagram(1, 3)
        } offence: { track in
            try track.send(3, in: try track.open(1))
        }
        try Self.expectMalformed(profile) { track in
            try track.send(3, in: try track.open(1))
        } offence: { track in
            try track.datagram(1, 3)
        }
    }

    @Test("M1: only draft 14 has one way of sending for the whole track", arguments: DraftProfile.all)
    func oneWay(profile: DraftProfile) throws {
        var track = Track(profile)
        try track.send(0, in: try track.open(1))
        guard profile == .draft14 else {
            try track.datagram(2, 0)
            return
        }
        #expect(throws: MalformedTrack.self) {
            try track.datagram(2, 0)
        }
    }

    @Test("The same object again is sound, however it is cut", arguments: DraftProfile.all)
    func repeated(profile: DraftProfile) throws {
        var track = Track(profile)
        let payload = Array(0..<100 as Range<UInt8>)
        for parts in [1, 3, 50, 100] {
            let watch = try track.open(1)
            for id in 0..<20 as Range<UInt64> {
                try track.send(id, payload, in: watch, parts: parts)
            }
            try track.send(20, [], in: watch)
            try track.finish(watch)
        }
        var datagrams = Track(profile)
        for id in [0, 1, 1, 5, 3, 0, 4] as [UInt64] {
            try datagrams.datagram(1, id, payload)
        }
    }

    @Test("An object that was cut off may come whole afterwards", arguments: DraftProfile.all)
    func cutOff(profile: DraftProfile) throws {
        var track = Track(profile)
        let first = try track.open(1)
        try track.integrity.begin(ObjectHeader(objectID: 0, payloadLength: 4), in: first)
        let part: [UInt8] = [1, 2]
        try unsafe track.integrity.receive(payload: part.span.bytes, isLast: false, in: first)
        let second = try track.open(1)
        try track.send(0, [1, 2, 3, 4], in: second)
        try track.send(1, in: second)
        try track.finish(second)
    }

    @Test("M1: of two that arrive at the same time the second can be complete first", arguments: DraftProfile.all)
    func overtaken(profile: DraftProfile) throws {
        for isSame in [true, false] {
            var track = Track(profile)
            let first = try track.open(1)
            try track.integrity.begin(ObjectHeader(objectID: 0, payloadLength: 4), in: first)
            try track.receive([1, 2], isLast: false, in: first)
            try track.send(0, [1, 2, 3, 4], in: try track.open(1))
            if isSame {
                try track.receive([3, 4], isLast: true, in: first)
            } else {
                #expect(throws: MalformedTrack.self) {
                    try track.receive([3, 5], isLast: true, in: first)
                }
            }
        }
    }

    @Test("Subgroups that interleave, and come late, are sound", arguments: DraftProfile.all)
    func interleaved(profile: DraftProfile) throws {
        var track = Track(profile)
        let watches = try (0..<4 as Range<UInt64>).map { try track.open(1, $0) }
        for (index, watch) in watches.enumerated().reversed() {
            for round in 0..<100 as Range<UInt64> {
                try track.send(round * 4 + UInt64(index), in: watch)
            }
            try track.finish(watch, endsGroup: index == 3)
        }
    }

    @Test("M2: an object behind the end of its subgroup, group or track", arguments: DraftProfile.all)
    func behindTheEnd(profile: DraftProfile) throws {
        // The subgroup, in both orders.
        try Self.expectMalformed(profile) { track in
            let watch = try track.open(1)
            try track.send(3, in: watch)
            try track.finish(watch)
        } offence: { track in
            try track.send(4, in: try track.open(1))
        }
        try Self.expectMalformed(profile) { track in
            try track.send(4, in: try track.open(1))
            try track.send(3, in: try track.open(2))
        } offence: { track in
            let watch = try track.open(1)
            try track.send(3, in: watch)
            try track.finish(watch)
        }
        // The group, by a status, by a FIN, by a datagram.
        try Self.expectMalformed(profile) { track in
            try track.status(.endOfGroup, at: 3, in: try track.open(1))
            try track.send(2, in: try track.open(1, 1))
            try track.send(3, in: try track.open(2))
        } offence: { track in
            try track.send(3, in: try track.open(1, 1))
        }
        try Self.expectMalformed(profile) { track in
            try track.send(3, in: try track.open(1, 1))
        } offence: { track in
            try track.status(.endOfGroup, at: 2, in: try track.open(1))
        }
        try Self.expectMalformed(profile) { track in
            let watch = try track.open(1)
            try track.send(3, in: watch)
            try track.finish(watch, endsGroup: true)
        } offence: { track in
            try track.send(4, in: try track.open(1, 1))
        }
        try Self.expectMalformed(profile) { track in
            try track.datagram(1, 3, endsGroup: true)
        } offence: { track in
            try track.datagram(1, 4)
        }
        // The track.
        try Self.expectMalformed(profile) { track in
            try track.status(.endOfTrack, at: 3, in: try track.open(5))
            try track.send(2, in: try track.open(5, 1))
        } offence: { track in
            try track.send(0, in: try track.open(6))
        }
        try Self.expectMalformed(profile) { track in
            try track.send(0, in: try track.open(6))
        } offence: { track in
            try track.status(.endOfTrack, at: 3, in: try track.open(5))
        }
    }

    @Test("M3: a subgroup with two last objects", arguments: DraftProfile.all)
    func twoEnds(profile: DraftProfile) throws {
        try Self.expectMalformed(profile) { track in
            let watch = try track.open(1)
            try track.send(3, in: watch)
            try track.finish(watch)
            let empty = try track.open(1)
            try track.finish(empty)
        } offence: { track in
            let watch = try track.open(1)
            try track.send(2, in: watch)
            try track.finish(watch)
        }
    }

    @Test("M4: a priority that changes within a subgroup", arguments: DraftProfile.all)
    func twoPriorities(profile: DraftProfile) throws {
        try Self.expectMalformed(profile) { track in
            try track.send(0, in: try track.open(1, 0, priority: 5))
            try track.send(1, in: try track.open(1, 1, priority: 6))
            try track.send(0, in: try track.open(2, 0, priority: 6))
        } offence: { track in
            _ = try track.open(1, 0, priority: 6)
        }
    }

    @Test("M5: a gap that contradicts what came, exceeds its id, is repeated, or differs", arguments: DraftProfile.all)
    func gaps(profile: DraftProfile) throws {
        let (groups, objects) = (PropertyType.priorGroupIDGap, PropertyType.priorObjectIDGap)
        // Objects: in the gap before or after it is known, too large, twice.
        try Self.expectMalformed(profile) { track in
            try track.send(9, in: try track.open(1), properties: [(objects, 3)])
            try track.send(5, in: try track.open(1, 1))
        } offence: { track in
            try track.send(6, in: try track.open(1, 1))
        }
        try Self.expectMalformed(profile) { track in
            try track.send(7, in: try track.open(1, 1))
        } offence: { track in
            try track.send(9, in: try track.open(1), properties: [(objects, 3)])
        }
        try Self.expectMalformed(profile) { track in
            try track.send(3, in: try track.open(1), properties: [(objects, 3)])
        } offence: { track in
            try track.send(3, in: try track.open(2), properties: [(objects, 4)])
        }
        try Self.expectMalformed(profile) { track in
            try track.send(5, in: try track.open(2), properties: [(objects, 1)])
        } offence: { track in
            try track.send(7, in: try track.open(3), properties: [(objects, 1), (objects, 1)])
        }
        // Groups.
        try Self.expectMalformed(profile) { track in
            try track.send(0, in: try track.open(9), properties: [(groups, 3)])
            try track.send(1, in: try track.open(9, 1), properties: [(groups, 3)])
            try track.send(2, in: try track.open(9, 2))
            try track.send(0, in: try track.open(5))
        } offence: { track in
            try track.send(0, in: try track.open(7))
        }
        try Self.expectMalformed(profile) { track in
            _ = try track.open(8)
            try track.send(0, in: try track.open(7))
        } offence: { track in
            try track.send(0, in: try track.open(9), properties: [(groups, 3)])
        }
        try Self.expectMalformed(profile) { track in
            try track.send(0, in: try track.open(3), properties: [(groups, 3)])
        } offence: { track in
            try track.send(0, in: try track.open(4), properties: [(groups, 5)])
        }
        try Self.expectMalformed(profile) { track in
            try track.send(0, in: try track.open(9), properties: [(groups, 3)])
        } offence: { track in
            try track.send(1, in: try track.open(9, 1), properties: [(groups, 2)])
        }
        try Self.expectMalformed(profile) { _ in
        } offence: { track in
            try track.send(1, in: try track.open(9), properties: [(groups, 2), (groups, 2)])
        }
    }

    @Test("M6: IMMUTABLE that is nested, repeated or cannot be read", arguments: DraftProfile.all)
    func immutable(profile: DraftProfile) throws {
        let coding = profile.coding
        let inner = try #require(KeyValuePair(type: PropertyType.immutable, bytes: []))
        let gap = try #require(KeyValuePair(type: PropertyType.priorObjectIDGap, integer: 2))
        let values: [[UInt8]] = [
            try PropertyList([inner], coding: coding).bytes,
            // An odd type with more bytes than there are.
            [0x0D, 0x05, 0x00],
        ]
        for value in values {
            let pair = try #require(KeyValuePair(type: PropertyType.immutable, bytes: value))
            let list = try PropertyList([pair], coding: coding)
            #expect(list.objectFacts.fault == .immutable)
            try Self.expectMalformed(profile) { _ in
            } offence: { track in
                let watch = try track.open(1)
                let header = ObjectHeader(objectID: 9, properties: list, payloadLength: 1)
                try track.integrity.begin(header, in: watch)
            }
        }
        #expect(try PropertyList([inner, inner], coding: coding).objectFacts.fault == .immutable)
        // What is inside counts as if it were outside.
        let nested = try PropertyList([gap], coding: coding).bytes
        let pair = try #require(KeyValuePair(type: PropertyType.immutable, bytes: nested))
        #expect(try PropertyList([pair], coding: coding).objectFacts == ObjectPropertyFacts(priorObjectGap: 2))
        #expect(try PropertyList([pair, gap], coding: coding).objectFacts.fault == .repeatedGap)
    }

    @Test("M7: a mandatory property of tracks on an object, from draft 18 on", arguments: DraftProfile.all)
    func mandatory(profile: DraftProfile) throws {
        var track = Track(profile)
        let watch = try track.open(1)
        try track.send(0, in: watch, properties: [(0x3FFE, 1), (0x8000, 1)])
        guard profile == .draft18 else {
            try track.send(1, in: watch, properties: [(0x4000, 1)])
            return
        }
        #expect(throws: MalformedTrack.self) {
            try track.send(1, in: watch, properties: [(0x4000, 1)])
        }
    }

    @Test("M9: an object that was reported absent before is sound", arguments: DraftProfile.all)
    func absent(profile: DraftProfile) throws {
        var track = Track(profile)
        // A subgroup without an object in its middle, a subgroup without objects, and a group that was left out.
        let watch = try track.open(1)
        try track.send(0, in: watch)
        try track.send(2, in: watch)
        try track.finish(watch, endsGroup: true)
        try track.finish(try track.open(1, 1))
        try track.send(0, in: try track.open(3))
        try track.send(1, in: try track.open(1, 1))
        try track.send(0, in: try track.open(2))
        if profile == .draft14 {
            try track.status(.doesNotExist, at: 5, in: try track.open(4))
            try track.send(5, in: try track.open(4))
        }
    }

    @Test("What is remembered does not grow with the track", arguments: DraftProfile.all)
    func bounded(profile: DraftProfile) throws {
        var track = Track(profile)
        // Gaps, subgroups and runs without end.
        for group in 0..<200 as Range<UInt64> {
            for subgroup in 0..<40 as Range<UInt64> {
                let watch = try track.open(group, subgroup)
                var id = subgroup
                for step in 1..<20 as Range<UInt64> {
                    try track.send(id * 40 + subgroup, in: watch, properties: [(PropertyType.priorObjectIDGap, 0)])
                    id += step
                }
                try track.finish(watch)
            }
        }
        #expect(track.integrity.rememberedCount <= 16 * (1 + 16 * (1 + 8)) + 64)
    }

    @Test("Fetches are judged, too", arguments: DraftProfile.all)
    func fetches(profile: DraftProfile) throws {
        func object(
            _ group: UInt64,
            _ id: UInt64,
            subgroup: UInt64? = 0,
            priority: UInt8 = 128,
            _ properties: [(UInt64, UInt64)] = []
        ) throws -> FetchObjectHeader {
            FetchObjectHeader(
                location: Location(group: group, object: id),
                subgroupID: subgroup,
                publisherPriority: priority,
                properties: try Track(profile).list(properties),
                payloadLength: 1
            )
        }
        var track = Track(profile)
        try track.integrity.beginFetched(try object(1, 0))
        try track.integrity.beginFetched(try object(1, 1, subgroup: 1, priority: 3))
        try track.integrity.beginFetched(try object(1, 2, subgroup: nil, priority: 3))
        try track.integrity.beginFetched(try object(1, 3))
        try track.integrity.beginFetched(try object(2, 0, priority: 4))
        try track.integrity.beginFetched(try object(9, 4, [(PropertyType.priorGroupIDGap, 3)]))
        let offences = [
            try object(9, 6, priority: 3),
            try object(9, 6, [(PropertyType.priorObjectIDGap, 2)]),
            try object(9, 6, [(PropertyType.priorObjectIDGap, 7)]),
            try object(9, 6, [(PropertyType.priorGroupIDGap, 1)]),
            try object(8, 6),
        ]
        for offence in offences {
            var integrity = TrackIntegrity(profile: profile)
            try integrity.beginFetched(try object(9, 4, [(PropertyType.priorGroupIDGap, 3)]))
            #expect(throws: MalformedTrack.self) {
                try integrity.beginFetched(offence)
            }
        }
    }
}
