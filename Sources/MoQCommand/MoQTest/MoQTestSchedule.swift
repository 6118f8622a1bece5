// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQWire

/// The objects of a moq-test track, or of a range of it, in the order in which they are published.
struct MoQTestSchedule: Sequence, IteratorProtocol {
    /// One object, or the marker at the end of a group.
    struct Entry: Hashable, Sendable {
        /// The group and the object.
        var location: Location
        /// The subgroup; nil for a datagram.
        var subgroup: UInt64?
        /// Whether it is an End of Group.
        var isMarker: Bool
        /// How many bytes of payload it has.
        var size: Int
        /// Whether it is the last of its group.
        var endsGroup: Bool
    }

    /// Numbers from a first one in equal steps, up to a limit.
    private struct Grid {
        var first: UInt64
        var step: UInt64
        var limit: UInt64

        /// The smallest number that is not below `bound`; nil when there is none.
        func first(from bound: UInt64) -> UInt64? {
            guard bound > self.first else {
                return self.first <= self.limit ? self.first : nil
            }
            guard bound <= self.limit else {
                return nil
            }
            let below = (bound - self.first) / self.step * self.step + self.first
            return below == bound ? below : self.next(after: below)
        }

        /// The largest number that is not above `bound`; nil when there is none.
        func last(through bound: UInt64) -> UInt64? {
            let top = Swift.min(bound, self.limit)
            return top < self.first ? nil : (top - self.first) / self.step * self.step + self.first
        }

        func next(after number: UInt64) -> UInt64? {
            let (sum, overflows) = number.addingReportingOverflow(self.step)
            return overflows || sum > self.limit ? nil : sum
        }
    }

    private let tuple: MoQTestTuple
    private let groups: Grid
    private let objects: Grid
    private let start: Location
    private let end: Location
    private let isDescending: Bool
    private let includesMarkers: Bool
    /// The last id in each group: that of the marker, if there are any.
    private let lastOfGroup: UInt64
    private var group: UInt64?
    private var object: UInt64?

    /// All objects of a track, from `start` through `end`.
    init(
        _ tuple: MoQTestTuple,
        from start: Location = Location(group: 0, object: 0),
        through end: Location = Location(group: .max, object: .max),
        isDescending: Bool = false,
        includesMarkers: Bool = true
    ) {
        self.tuple = tuple
        self.groups = Grid(first: tuple.startGroup, step: tuple.groupIncrement, limit: tuple.lastGroup)
        self.objects = Grid(first: tuple.startObject, step: tuple.objectIncrement, limit: tuple.lastObject)
        self.start = start
        self.end = end
        self.isDescending = isDescending
        self.includesMarkers = includesMarkers
        self.lastOfGroup = self.objects.last(through: .max) ?? tuple.startObject
        self.group = isDescending ? self.groups.last(through: end.group) : self.groups.first(from: start.group)
        self.object = self.firstObject(of: self.group)
    }

    /// The location of the last object of the track, without markers unless they count; nil when there is none.
    static func largest(of tuple: MoQTestTuple, includesMarkers: Bool) -> Location? {
        let last = Self(tuple, includesMarkers: includesMarkers)
        guard let group = last.groups.last(through: .max) else {
            return nil
        }
        return last.lastObject(of: group).map { Location(group: group, object: $0) }
    }

    mutating func next() -> Entry? {
        while let group = self.group {
            guard let object = self.object, let last = self.lastObject(of: group), object <= last else {
                self.group = self.group(after: group)
                self.object = self.firstObject(of: self.group)
                continue
            }
            self.object = self.objects.next(after: object)
            return self.entry(group: group, object: object, endsGroup: object == last)
        }
        return nil
    }

    private func group(after group: UInt64) -> UInt64? {
        let following: UInt64? =
            if self.isDescending {
                group == 0 ? nil : self.groups.last(through: group - 1)
            } else {
                self.groups.next(after: group)
            }
        return following.flatMap { (self.start.group...self.end.group).contains($0) ? $0 : nil }
    }

    private func firstObject(of group: UInt64?) -> UInt64? {
        guard let group, (self.start.group...self.end.group).contains(group) else {
            return nil
        }
        return self.objects.first(from: group == self.start.group ? self.start.object : 0)
    }

    private func lastObject(of group: UInt64) -> UInt64? {
        var bound = group == self.end.group ? self.end.object : .max
        if self.tuple.hasMarkers, !self.includesMarkers {
            guard self.lastOfGroup > 0 else {
                return nil
            }
            bound = Swift.min(bound, self.lastOfGroup - 1)
        }
        return self.objects.last(through: bound)
    }

    private func entry(group: UInt64, object: UInt64, endsGroup: Bool) -> Entry {
        let isMarker = self.tuple.hasMarkers && object == self.lastOfGroup
        let size = object == self.tuple.startObject ? self.tuple.firstObjectSize : self.tuple.otherObjectSize
        let subgroup: UInt64? =
            switch self.tuple.forwarding {
            case .subgroupPerGroup: 0
            case .subgroupPerObject: object
            case .twoSubgroups: object % 2
            case .datagrams: nil
            }
        return Entry(
            location: Location(group: group, object: object),
            subgroup: subgroup,
            isMarker: isMarker,
            size: isMarker ? 0 : Int(clamping: size),
            endsGroup: endsGroup
        )
    }
}
