// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQWire

/// Holds what arrives of a moq-test track against what its namespace says, and notes every difference.
///
/// What has to come is worked out here for each object by arithmetic, not by running through the publisher's schedule, so
/// that a fault there does not excuse itself.
struct MoQTestVerifier {
    /// Where objects come from.
    enum Delivery: Hashable, Sendable {
        /// A subscription: in any order.
        case subscription
        /// A fetch, whose groups come in this order.
        case fetch(GroupOrder)
    }

    /// How many differences are described; the others are counted.
    static let maximumDescriptions = 20
    /// How many objects are remembered.
    private static let maximumObjects = 1 << 22
    /// How many groups are looked at in the end.
    static let maximumGroups: UInt64 = 1 << 20

    private let tuple: MoQTestTuple
    private let delivery: Delivery
    /// Whether the draft writes the status, and the subgroup, of every object of a fetch.
    private let fetchObjectsAreComplete: Bool
    /// What is expected at the least begins here.
    private(set) var first: Location
    /// Nothing is expected after this.
    private let last: Location

    /// How many objects arrived, without markers.
    private(set) var objectCount: UInt64 = 0
    /// How many End of Groups arrived.
    private(set) var markerCount: UInt64 = 0
    /// The first differences.
    private(set) var mismatches: [String] = []
    /// How many differences there are.
    private(set) var mismatchCount = 0

    private var seen: [UInt64: Set<UInt64>] = [:]
    private var seenCount = 0
    private var previous: Location?

    /// Expects the objects from `first` through `last`.
    init(
        _ tuple: MoQTestTuple,
        delivery: Delivery,
        fetchObjectsAreComplete: Bool = false,
        from first: Location = Location(group: 0, object: 0),
        through last: Location = Location(group: .max, object: .max)
    ) {
        self.tuple = tuple
        self.delivery = delivery
        self.fetchObjectsAreComplete = fetchObjectsAreComplete
        self.first = first
        self.last = last
    }

    /// How many groups something arrived of.
    var groupCount: Int {
        self.seen.count
    }

    /// Notes a difference.
    mutating func note(_ mismatch: String) {
        self.mismatchCount += 1
        if self.mismatches.count < Self.maximumDescriptions {
            self.mismatches.append(mismatch)
        }
    }

    /// The track had come this far when the subscription began: only what comes after it is certain to arrive.
    mutating func joined(after largest: Location) {
        self.first = Location(group: largest.group, object: largest.object &+ 1)
    }

    // MARK: Objects

    /// Verifies the header of an object. `subgroup` is nil for an object of a datagram.
    mutating func object(
        _ location: Location,
        subgroup: UInt64?,
        status: ObjectStatus,
        properties: PropertyList,
        payloadLength: UInt64
    ) {
        self.checkPlace(location)
        let isMarker = self.tuple.hasMarkers && self.isLastOfGroup(location.object)
        switch (status, isMarker) {
        case (.endOfGroup, true):
            self.markerCount += 1
            self.check(location, properties.isEmpty, "an End of Group with properties")
        case (.normal, false):
            self.objectCount += 1
            self.check(properties, of: location)
            let size =
                location.object == self.tuple.startObject ? self.tuple.firstObjectSize : self.tuple.otherObjectSize
            self.check(location, payloadLength == size, "has \(payloadLength) bytes, not \(size)")
        case (_, true):
            self.note("\(Self.name(location)) should be an End of Group and has status \(status)")
        case (_, false):
            self.note("\(Self.name(location)) should be an ordinary object and has status \(status)")
        }
        self.check(subgroup, of: location)
    }

    /// Verifies a part of the payload of an object.
    mutating func payload(isRight: Bool, of location: Location) {
        self.check(location, isRight, "has bytes other than 't' in its payload")
    }

    /// A stream that was said to contain the end of its group ended with this object.
    mutating func groupEnded(with location: Location) {
        self.check(location, self.isLastOfGroup(location.object), "is said to be the last of its group, and is not")
    }

    private mutating func checkPlace(_ location: Location) {
        let isInGroups =
            location.group >= self.tuple.startGroup && location.group <= self.tuple.lastGroup
            && (location.group - self.tuple.startGroup).isMultiple(of: self.tuple.groupIncrement)
        let isInGroup =
            location.object >= self.tuple.startObject && location.object <= self.tuple.lastObject
            && (location.object - self.tuple.startObject).isMultiple(of: self.tuple.objectIncrement)
        guard isInGroups, isInGroup else {
            self.note("\(Self.name(location)) does not exist")
            return
        }
        if case .fetch(let order) = self.delivery {
            self.check(location, location >= self.first && location <= self.last, "was not asked for")
            if let previous = self.previous {
                let isInOrder =
                    previous.group == location.group
                    ? previous.object < location.object
                    : (previous.group < location.group) == (order != .descending)
                self.check(location, isInOrder, "comes after \(Self.name(previous))")
            }
            self.previous = location
        }
        guard self.seenCount < Self.maximumObjects else {
            if self.seenCount == Self.maximumObjects {
                self.seenCount += 1
                self.note("more than \(Self.maximumObjects) objects are too many to verify")
            }
            return
        }
        if self.seen[location.group, default: []].insert(location.object).inserted {
            self.seenCount += 1
        } else {
            self.note("\(Self.name(location)) arrived twice")
        }
    }

    private mutating func check(_ subgroup: UInt64?, of location: Location) {
        let expected: UInt64? =
            switch self.tuple.forwarding {
            case .subgroupPerGroup: 0
            case .subgroupPerObject: location.object
            case .twoSubgroups: location.object & 1
            case .datagrams: nil
            }
        if expected == nil, case .fetch = self.delivery, self.fetchObjectsAreComplete {
            // This draft cannot say that an object was a datagram.
            return
        }
        let names = [expected, subgroup].map { $0.map { "subgroup \($0)" } ?? "a datagram" }
        self.check(location, subgroup == expected, "came in \(names[1]), not in \(names[0])")
    }

    private mutating func check(_ properties: PropertyList, of location: Location) {
        let expected = [
            self.tuple.integerExtension.map { $0 * 2 }, self.tuple.variableExtension.map { $0 * 2 + 1 },
        ].compactMap(\.self).sorted()
        guard let pairs = try? properties.pairs() else {
            self.note("\(Self.name(location)) has properties that cannot be read")
            return
        }
        let types = pairs.map(\.type).sorted()
        self.check(location, types == expected, "has properties of the types \(types), not \(expected)")
    }

    private mutating func check(_ location: Location, _ isRight: Bool, _ problem: @autoclosure () -> String) {
        if !isRight {
            self.note("\(Self.name(location)) \(problem())")
        }
    }

    private static func name(_ location: Location) -> String {
        "group \(location.group) object \(location.object)"
    }

    /// Whether there is no larger id in a group.
    private func isLastOfGroup(_ object: UInt64) -> Bool {
        object <= self.tuple.lastObject && self.tuple.lastObject - object < self.tuple.objectIncrement
    }

    // MARK: The end

    /// Notes what is missing. With `isCut` the track was given up while it went on: then the two newest groups may be
    /// incomplete, and later ones missing.
    mutating func finish(isCut: Bool) {
        var end = min(self.tuple.lastGroup, self.last.group)
        if isCut {
            let groups = self.seen.keys.sorted()
            guard groups.count > 2 else {
                return
            }
            end = min(end, groups[groups.count - 3])
        }
        let begin = max(self.tuple.startGroup, self.first.group)
        let beyond = (begin - self.tuple.startGroup) % self.tuple.groupIncrement
        var group = begin
        if beyond > 0 {
            let (next, overflows) = begin.addingReportingOverflow(self.tuple.groupIncrement - beyond)
            guard !overflows else {
                return
            }
            group = next
        }
        var count: UInt64 = 0
        while group <= end {
            guard count < Self.maximumGroups else {
                self.note("more than \(Self.maximumGroups) groups are too many to verify")
                return
            }
            count += 1
            self.checkComplete(group)
            let (next, overflows) = group.addingReportingOverflow(self.tuple.groupIncrement)
            guard !overflows else {
                return
            }
            group = next
        }
    }

    private mutating func checkComplete(_ group: UInt64) {
        let low = group == self.first.group ? self.first.object : 0
        let high = group == self.last.group ? self.last.object : .max
        let seen = self.seen[group] ?? []
        var described = 0
        var object = self.tuple.startObject
        if low > object {
            let steps = (low - object) / self.tuple.objectIncrement
            let onGrid = object + steps * self.tuple.objectIncrement
            let (next, overflows) = onGrid.addingReportingOverflow(onGrid < low ? self.tuple.objectIncrement : 0)
            guard !overflows else {
                return
            }
            object = next
        }
        while object <= self.tuple.lastObject, object <= high {
            if !seen.contains(object), self.isRequired(object) {
                guard described < 3 else {
                    self.note("group \(group): more is missing")
                    return
                }
                described += 1
                self.note("\(Self.name(Location(group: group, object: object))) is missing")
            }
            let (next, overflows) = object.addingReportingOverflow(self.tuple.objectIncrement)
            guard !overflows else {
                return
            }
            object = next
        }
    }

    /// Whether an object has to come. Markers do not in a fetch: most drafts cannot say them there.
    private func isRequired(_ object: UInt64) -> Bool {
        self.delivery == .subscription || !self.tuple.hasMarkers || !self.isLastOfGroup(object)
    }
}
