// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// The locations that a fetch is about, both ends included (draft-18 §10.12, "FETCH"). It is never empty: what would be
/// cannot be made.
public struct FetchRange: Hashable, Sendable {
    /// What FETCH_OK says.
    public struct Answer: Hashable, Sendable {
        /// Where the response ends.
        public var end: FetchEnd
        /// Whether that is the final object of a track that is complete.
        public var endOfTrack: Bool

        /// Makes an answer of its fields.
        public init(end: FetchEnd, endOfTrack: Bool) {
            self.end = end
            self.endOfTrack = endOfTrack
        }
    }

    /// The first location.
    public let start: Location
    /// The last location.
    public let end: FetchEnd

    /// Makes a range, unless it would end before it starts.
    public init?(start: Location, end: FetchEnd) {
        guard end.location >= start else {
            return nil
        }
        self.start = start
        self.end = end
    }

    /// The range from the start of the group that lies `groupsBack` before the joining location's, but not before the
    /// first one, up to the joining location (draft-18 §10.12.2.1, "Joining Fetch Range Calculation").
    public init(groupsBack: UInt64, joining location: Location) {
        let group = location.group >= groupsBack ? location.group - groupsBack : 0
        self.start = Location(group: group, object: 0)
        self.end = .object(location)
    }

    /// The range from the start of this group up to the joining location, unless the group comes after it.
    public init?(startGroup: UInt64, joining location: Location) {
        self.init(start: Location(group: startGroup, object: 0), end: .object(location))
    }

    /// Whether the location is in the range.
    @inlinable
    public func contains(_ location: Location) -> Bool {
        location >= self.start && location <= self.end.location
    }

    /// What FETCH_OK says when `largest` is the largest location that exists; nil when the range begins after it, which is
    /// answered INVALID_RANGE (draft-18 §10.13, "FETCH_OK").
    public func answer(largest: Location, isTrackComplete: Bool) -> Answer? {
        guard self.start <= largest else {
            return nil
        }
        let reachesLargest = self.end.location >= largest
        return Answer(
            end: self.end.location > largest ? .object(largest) : self.end,
            endOfTrack: isTrackComplete && reachesLargest
        )
    }

    /// Whether a FETCH_OK with this end answers a request that starts at `start`: it must not end before that. An end right
    /// before the start, an empty answer, passes, since it is written like the start itself.
    static func isAnswer(_ end: FetchEnd, to start: Location) -> Bool {
        switch end {
        case .group(let group):
            return group >= start.group
        case .object(let location):
            let (object, overflow) = location.object.addingReportingOverflow(1)
            return overflow || Location(group: location.group, object: object) >= start
        }
    }
}
