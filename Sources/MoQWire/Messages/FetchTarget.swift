// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Where a fetch ends. The drafts write the same with "plus one" and "zero for all"; the codec hides that.
public enum FetchEnd: Hashable, Sendable {
    /// At this object, which is included.
    case object(Location)
    /// At the end of this group.
    case group(UInt64)

    /// The last location that can be meant, for comparisons.
    public var location: Location {
        switch self {
        case .object(let location):
            return location
        case .group(let group):
            return Location(group: group, object: .max)
        }
    }
}

/// What a FETCH asks for (draft-18 §10.12, "FETCH").
public enum FetchTarget: Hashable, Sendable {
    /// A range of a track, both ends included.
    case standalone(track: FullTrackName, start: Location, end: FetchEnd)
    /// What came before a subscription, from so many groups before its first one on. Up to draft 19.
    case relativeJoining(subscription: RequestID, groupsBack: UInt64)
    /// What came before a subscription, from this group on. Up to draft 19.
    case absoluteJoining(subscription: RequestID, startGroup: UInt64)
}
