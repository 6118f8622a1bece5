// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire

/// A set of locations, as ranges that neither touch nor overlap, in order: what is known not to exist of a track.
///
/// It is bounded: beyond the bound the lowest ranges are forgotten.
struct LocationRanges {
    /// How many ranges are remembered.
    static let capacity = 256

    /// One range, both ends included.
    struct Range: Equatable {
        var first: Location
        var last: Location
    }

    private(set) var ranges: [Range] = []

    /// Adds everything from `first` through `last`. Nothing is added when that is empty.
    mutating func insert(from first: Location, through last: Location) {
        guard first <= last else {
            return
        }
        var merged = Range(first: first, last: last)
        let low = self.ranges.partitioningIndex { $0.last.next.map { $0 >= first } ?? true }
        var high = low
        while high < self.ranges.count, last.next.map({ self.ranges[high].first <= $0 }) ?? true {
            merged.first = min(merged.first, self.ranges[high].first)
            merged.last = max(merged.last, self.ranges[high].last)
            high += 1
        }
        self.ranges.replaceSubrange(low..<high, with: [merged])
        if self.ranges.count > Self.capacity {
            self.ranges.removeFirst()
        }
    }

    /// The last location of the range that `location` is in, or nil when it is in none.
    func end(of location: Location) -> Location? {
        let index = self.ranges.partitioningIndex { $0.last >= location }
        guard index < self.ranges.count, self.ranges[index].first <= location else {
            return nil
        }
        return self.ranges[index].last
    }

    /// The first location of the first range that begins after `location`.
    func start(after location: Location) -> Location? {
        let index = self.ranges.partitioningIndex { $0.first > location }
        return index < self.ranges.count ? self.ranges[index].first : nil
    }
}

extension Location {
    /// The first location.
    static let zero = Location(group: 0, object: 0)

    /// The location right after; nil after the last one.
    var next: Location? {
        guard self.object == .max else {
            return Location(group: self.group, object: self.object + 1)
        }
        return self.group == .max ? nil : Location(group: self.group + 1, object: 0)
    }

    /// The location right before; nil before the first one.
    var previous: Location? {
        guard self.object == 0 else {
            return Location(group: self.group, object: self.object - 1)
        }
        return self.group == 0 ? nil : Location(group: self.group - 1, object: .max)
    }
}
