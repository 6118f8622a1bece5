// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import Testing
import WebTransport

@testable import MoQRelay

@Suite("The cache")
struct ObjectCacheTests {
    private func location(_ group: UInt64, _ object: UInt64) -> Location {
        Location(group: group, object: object)
    }

    private func makeCache(cost: Int = 1 << 20, groups: Int = 100, age: Duration = .seconds(60)) -> ObjectCache {
        ObjectCache(maximumCost: cost, maximumGroups: groups, maximumAge: age)
    }

    private func name(_ text: String = "track") -> FullTrackName {
        FullTrackName(namespace: TrackNamespace(path: "live"), name: text)
    }

    private func object(
        _ group: UInt64,
        _ object: UInt64,
        size: Int = 4,
        arrival: UInt64 = 0,
        isComplete: Bool = true
    ) -> CachedObject {
        let header = FetchObjectHeader(
            location: self.location(group, object),
            subgroupID: 0,
            publisherPriority: 128,
            payloadLength: UInt64(size)
        )
        let result = CachedObject(header, arrival: arrival)
        if isComplete {
            result.append(Bytes([UInt8](repeating: 1, count: size)))
        }
        return result
    }

    /// Everything that is found in a range, in short.
    private func walk(
        _ track: TrackCache,
        from first: Location = Location(group: 0, object: 0),
        through last: Location,
        now: UInt64 = 0
    ) -> [String] {
        var result: [String] = []
        var cursor: Location? = first
        while let start = cursor, start <= last {
            switch track.find(from: start, through: last, now: now) {
            case .nothing:
                cursor = nil
            case .object(let object):
                result.append("\(object.location.group):\(object.location.object)")
                cursor = object.location.next
            case .unknown(let from, let through):
                let end = through.object == .max ? "end" : "\(through.object)"
                result.append("?\(from.group):\(from.object)-\(through.group):\(end)")
                cursor = through.next
            }
        }
        return result
    }

    @Test("Ranges that touch become one, across groups too, and can be cut again")
    func ranges() {
        var ranges = LocationRanges()
        ranges.insert(from: self.location(1, 5), through: self.location(1, 9))
        ranges.insert(from: self.location(3, 0), through: self.location(3, .max))
        ranges.insert(from: self.location(1, 3), through: self.location(1, 2))
        #expect(ranges.ranges.count == 2)
        ranges.insert(from: self.location(1, 10), through: self.location(2, .max))
        #expect(ranges.ranges == [.init(first: self.location(1, 5), last: self.location(3, .max))])
        #expect(ranges.end(of: self.location(2, 7)) == self.location(3, .max))
        #expect(ranges.end(of: self.location(1, 4)) == nil)
        #expect(ranges.end(of: self.location(4, 0)) == nil)
        #expect(ranges.start(after: self.location(0, 0)) == self.location(1, 5))
        #expect(ranges.start(after: self.location(1, 5)) == nil)
        ranges.insert(from: self.location(0, 0), through: self.location(.max, .max))
        #expect(ranges.ranges.count == 1)
    }

    @Test("Ranges are bounded: the lowest are forgotten")
    func boundedRanges() {
        var ranges = LocationRanges()
        for group in 0..<UInt64(LocationRanges.capacity + 10) {
            ranges.insert(from: self.location(group, 3), through: self.location(group, 4))
        }
        #expect(ranges.ranges.count == LocationRanges.capacity)
        #expect(ranges.end(of: self.location(9, 3)) == nil)
        #expect(ranges.end(of: self.location(10, 3)) != nil)
    }

    @Test("Ranges agree with a set of locations")
    func rangesAgainstSet() {
        var generator = SeededGenerator(seed: 5)
        var ranges = LocationRanges()
        var members: Set<UInt64> = []
        for _ in 0..<500 {
            let first = UInt64.random(in: 0..<200, using: &generator)
            let last = first + UInt64.random(in: 0..<8, using: &generator)
            ranges.insert(from: self.location(0, first), through: self.location(0, last))
            members.formUnion(first...last)
            let probe = UInt64.random(in: 0..<210, using: &generator)
            #expect((ranges.end(of: self.location(0, probe)) != nil) == members.contains(probe))
            for (left, right) in zip(ranges.ranges, ranges.ranges.dropFirst()) {
                #expect(left.last.next.map { $0 < right.first } == true)
            }
        }
    }

    @Test("What is there, what is not and what is unknown are told apart")
    func findings() {
        let cache = self.makeCache()
        let track = cache.track(self.name())
        let last = self.location(3, .max)
        #expect(self.walk(track, through: last) == ["?0:0-3:end"])
        // Out of order, as from two subgroups.
        for object in [UInt64(0), 1, 4, 2] {
            track.group(1).insert(self.object(1, object))
        }
        #expect(
            self.walk(track, through: last) == ["?0:0-0:end", "1:0", "1:1", "1:2", "?1:3-1:3", "1:4", "?1:5-3:end"]
        )
        track.noteAbsent(from: self.location(0, 2), through: self.location(0, .max))
        track.noteAbsent(from: self.location(1, 3), through: self.location(1, 3))
        track.noteEndOfGroup(after: self.location(1, 4))
        #expect(self.walk(track, through: last) == ["?0:0-0:1", "1:0", "1:1", "1:2", "1:4", "?2:0-3:end"])
        track.noteAbsent(from: self.location(2, 0), through: last)
        track.noteAbsent(from: self.location(0, 0), through: self.location(0, 1))
        #expect(track.knowsAll(from: self.location(0, 0), through: last, now: 0))
        #expect(self.walk(track, through: last) == ["1:0", "1:1", "1:2", "1:4"])
        #expect(self.walk(track, from: self.location(1, 2), through: self.location(1, 3)) == ["1:2"])
    }

    @Test("An object counts once, and not at all where it was said not to exist")
    func duplicates() {
        let cache = self.makeCache()
        let track = cache.track(self.name())
        let group = track.group(1)
        let first = group.insert(self.object(1, 0))
        let cost = cache.cost
        let again = group.insert(self.object(1, 0))
        #expect(first && !again)
        #expect(cache.cost == cost)
        track.noteAbsent(from: self.location(1, 1), through: self.location(1, 1))
        let ghost = group.insert(self.object(1, 1))
        #expect(!ghost)
        // What was given up can come again.
        let broken = self.object(1, 2, isComplete: false)
        group.insert(broken)
        broken.abandon()
        #expect(self.walk(track, from: self.location(1, 2), through: self.location(1, 2)) == ["?1:2-1:2"])
        let repaired = group.insert(self.object(1, 2))
        #expect(repaired)
        #expect(self.walk(track, from: self.location(1, 2), through: self.location(1, 2)) == ["1:2"])
    }

    /// Somebody who waits for an object.
    private final class Waiter {}

    @Test("Objects tell when they are complete, or will never be")
    func settling() {
        var settled = 0
        let object = self.object(1, 0, size: 6, isComplete: false)
        let (waiter, other) = (Waiter(), Waiter())
        object.whenSettled(for: waiter) { settled += 1 }
        object.append(Bytes([1, 2, 3]))
        #expect(settled == 0)
        object.append(Bytes([1, 2, 3, 4]))
        #expect(object.parts.count == 1, "more than the object's length is not taken")
        object.append(Bytes([4, 5, 6]))
        #expect(settled == 1)
        #expect(object.state == .complete)
        object.abandon()
        #expect(object.state == .complete)
        object.whenSettled(for: waiter) { settled += 1 }
        #expect(settled == 2)
        let lost = self.object(1, 1, isComplete: false)
        lost.whenSettled(for: waiter) { settled += 1 }
        lost.whenSettled(for: other) { settled += 10 }
        lost.stopWaiting(other)
        lost.abandon()
        #expect(settled == 3)
        #expect(self.object(1, 2, size: 0, isComplete: false).state == .complete)
    }

    @Test("An object that arrives byte by byte is kept in few parts, and whole")
    func smallParts() {
        let size = 10_000
        let object = self.object(0, 0, size: size, isComplete: false)
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 / 7) }
        var most = 0
        for byte in bytes {
            object.append([byte])
            most = max(most, object.parts.count)
        }
        #expect(most <= CachedObject.maximumParts(ofLength: UInt64(size)) + 1)
        #expect(object.state == .complete)
        #expect(object.parts.flatMap(\.array) == bytes)
    }

    @Test("Too many objects are not looked through in one go")
    func longLook() {
        let cache = self.makeCache(cost: 64 << 20)
        let track = cache.track(self.name())
        let count = UInt64(TrackCache.longestLook) + 1
        let group = track.group(0)
        for id in 0..<count {
            group.insert(self.object(0, id))
        }
        let known = { track.knowsAll(from: self.location(0, 0), through: self.location(0, $0), now: 0) }
        #expect(known(count - 2))
        #expect(!known(count - 1))
    }

    @Test("Objects are served for as long as the relay and the track allow")
    func age() throws {
        let cache = self.makeCache(age: .seconds(60))
        let track = cache.track(self.name())
        track.group(1).insert(self.object(1, 0, arrival: 1_000_000))
        let here = self.location(1, 0)
        #expect(self.walk(track, from: here, through: here, now: 61_000_000) == ["1:0"])
        #expect(self.walk(track, from: here, through: here, now: 61_000_001) == ["?1:0-1:0"])
        track.properties = try PropertyList([
            try #require(KeyValuePair(type: PropertyType.maxCacheDuration, integer: 5))
        ])
        #expect(self.walk(track, from: here, through: here, now: 1_005_000) == ["1:0"])
        #expect(self.walk(track, from: here, through: here, now: 1_005_001) == ["?1:0-1:0"])
        // Then it may come again.
        let isNew = track.group(1).insert(self.object(1, 0, arrival: 2_000_000))
        #expect(isNew)
        #expect(self.walk(track, from: here, through: here, now: 2_000_000) == ["1:0"])
    }

    @Test("The lowest groups of a track go when there are too many")
    func groups() {
        let cache = self.makeCache(groups: 3)
        let track = cache.track(self.name())
        for group in [UInt64(4), 2, 3, 5, 1] {
            track.group(group).insert(self.object(group, 0))
        }
        // Group 1 is the newest that was written, and so kept although it is the lowest.
        #expect(track.groupCount == 3)
        #expect(track.group(atOrBelow: 9) == 5)
        #expect(track.group(atOrBelow: 3) == 1)
        #expect(track.group(atOrBelow: 0) == nil)
        #expect(cache.evictions == 2)
        #expect(track.evictions == 2)
    }

    @Test("The track that was of use least recently loses its groups first")
    func leastRecentlyUsed() {
        let size = 10_000
        let cache = self.makeCache(cost: 10 * size)
        let old = cache.track(self.name("old"))
        let new = cache.track(self.name("new"))
        for group in UInt64(0)..<4 {
            old.group(group).insert(self.object(group, 0, size: size))
        }
        for group in UInt64(0)..<4 {
            new.group(group).insert(self.object(group, 0, size: size))
        }
        cache.used(old)
        let third = cache.track(self.name("third"))
        for group in UInt64(0)..<3 {
            third.group(group).insert(self.object(group, 0, size: size))
        }
        #expect(cache.cost <= 10 * size)
        #expect(old.groupCount == 4)
        #expect(third.groupCount == 3)
        #expect(new.groupCount < 4)
        #expect(new.group(atOrBelow: 0) == nil)
    }

    @Test("A group that is too much all alone is thrown out, and what is written to it goes nowhere")
    func hugeGroup() {
        let cache = self.makeCache(cost: 10_000)
        let track = cache.track(self.name())
        let group = track.group(0)
        var kept = 0
        for object in UInt64(0)..<100 {
            kept += group.insert(self.object(0, object, size: 1_000)) ? 1 : 0
        }
        #expect(kept < 10)
        #expect(cache.cost == 0)
        #expect(group.cache == nil)
        #expect(self.walk(track, through: self.location(0, 5)) == ["?0:0-0:5"])
    }

    @Test("A track that is forgotten takes nothing in any more")
    func forgotten() {
        let cache = self.makeCache()
        let track = cache.track(self.name())
        track.source = ObjectIdentifier(cache)
        var group: CachedGroup? = track.group(1)
        group?.insert(self.object(1, 0))
        track.noteAbsent(from: self.location(1, 1), through: self.location(1, .max))
        cache.removeAll(from: ObjectIdentifier(track))
        #expect(cache.existing(self.name()) === track)
        cache.removeAll(from: ObjectIdentifier(cache))
        #expect(cache.existing(self.name()) == nil)
        let late = track.record(self.object(1, 1).header, status: .normal, in: &group, now: 0)
        #expect(late == nil)
        #expect(cache.cost == 0)
        #expect(self.walk(track, through: self.location(1, 9)) == ["?0:0-1:9"])
    }

    @Test("The number of tracks is bounded: those of no use go")
    func tracks() {
        let cache = self.makeCache()
        for number in 0...ObjectCache.maximumTracks {
            _ = cache.track(self.name("\(number)"))
        }
        #expect(cache.existing(self.name("0")) == nil)
        #expect(cache.existing(self.name("\(ObjectCache.maximumTracks / 16)")) != nil)
        #expect(cache.existing(self.name("\(ObjectCache.maximumTracks)")) != nil)
    }

    @Test("Cost is exact through any sequence of writes and evictions")
    func cost() {
        var generator = SeededGenerator(seed: 9)
        let cache = self.makeCache(cost: 50_000, groups: 6)
        let names = (0..<4).map { self.name("track\($0)") }
        for _ in 0..<3_000 {
            let track = cache.track(names[Int.random(in: 0..<4, using: &generator)])
            let group = UInt64.random(in: 0..<12, using: &generator)
            let number = UInt64.random(in: 0..<20, using: &generator)
            let size = Int.random(in: 0..<2_000, using: &generator)
            track.group(group).insert(self.object(group, number, size: size))
            if Int.random(in: 0..<100, using: &generator) == 0 {
                cache.remove(track.name)
            }
            #expect(cache.cost <= 50_000)
            #expect(cache.cost == names.compactMap { cache.existing($0)?.cost }.reduce(0, +))
        }
        for name in names {
            cache.remove(name)
        }
        #expect(cache.cost == 0)
    }

    @Test("Marks and properties say what does not exist")
    func marks() throws {
        let cache = self.makeCache()
        let track = cache.track(self.name())
        var group: CachedGroup?
        var header = self.object(3, 4).header
        header.properties = try PropertyList([
            try #require(KeyValuePair(type: PropertyType.priorGroupIDGap, integer: 2)),
            try #require(KeyValuePair(type: PropertyType.priorObjectIDGap, integer: 4)),
        ])
        let object = track.record(header, status: .normal, in: &group, now: 0)
        object?.append(Bytes([1, 2, 3, 4]))
        var mark = self.object(3, 5).header
        mark.payloadLength = 0
        let nothing = track.record(mark, status: .endOfGroup, in: &group, now: 0)
        #expect(nothing == nil)
        #expect(self.walk(track, from: self.location(1, 0), through: self.location(3, .max)) == ["3:4"])
        mark.location = self.location(5, 0)
        _ = track.record(mark, status: .endOfTrack, in: &group, now: 0)
        #expect(self.walk(track, from: self.location(3, 5), through: self.location(9, 0)) == ["?4:0-4:end"])
        #expect(track.largest == self.location(3, 4))
        header.location = self.location(4, 0)
        header.payloadLength = CachedObject.maximumPayload + 1
        let tooLarge = track.record(header, status: .normal, in: &group, now: 0)
        #expect(tooLarge == nil)
        #expect(track.largest == self.location(4, 0))
    }
}
