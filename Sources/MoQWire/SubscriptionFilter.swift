// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Which objects of a track a subscription asks for (draft-18 §5.1.2, "Subscription Filters").
///
/// The cases are the union of what the drafts can say. Up to draft 19, ``relativeGroup(back:)`` and
/// ``objects(from:through:)`` have no spelling, and encoding them throws.
public enum SubscriptionFilter: Hashable, Sendable {
    /// Everything that the publisher sends from now on, whatever its location.
    case unfiltered
    /// From the start of the group after the largest one.
    case nextGroup
    /// From the object after the largest one. The drafts call it the "Largest Object" filter.
    case nextObject
    /// From the start of the group that lies `back` groups before the largest one (0 is the current group).
    case relativeGroup(back: UInt64)
    /// From this location on.
    case absoluteStart(Location)
    /// From this location to the end of group `endGroup`.
    case absoluteRange(start: Location, endGroup: UInt64)
    /// From the first location to the second, both included.
    case objects(from: Location, through: Location)

    /// The locations that pass, given the largest location the publisher knows when it handles the request.
    ///
    /// Without a largest location the relative filters start at the very beginning. A filter whose end lies before its
    /// start gives a range that contains nothing.
    public func range(largest: Location?) -> LocationRange {
        switch self {
        case .unfiltered:
            return LocationRange(start: Location(group: 0, object: 0))
        case .nextGroup:
            guard let largest else {
                return LocationRange(start: Location(group: 0, object: 0))
            }
            let (group, overflow) = largest.group.addingReportingOverflow(1)
            return overflow
                ? Self.nothing
                : LocationRange(start: Location(group: group, object: 0))
        case .nextObject:
            guard let largest else {
                return LocationRange(start: Location(group: 0, object: 0))
            }
            let (object, overflow) = largest.object.addingReportingOverflow(1)
            return overflow
                ? Self.nextGroup.range(largest: largest)
                : LocationRange(start: Location(group: largest.group, object: object))
        case .relativeGroup(let back):
            let current = largest?.group ?? 0
            return LocationRange(start: Location(group: current >= back ? current - back : 0, object: 0))
        case .absoluteStart(let start):
            return LocationRange(start: start)
        case .absoluteRange(let start, let endGroup):
            return LocationRange(start: start, end: Location(group: endGroup, object: .max))
        case .objects(let first, let last):
            return LocationRange(start: first, end: last)
        }
    }

    /// A range that no location is in: nothing can come after the last group that can be numbered.
    private static var nothing: LocationRange {
        LocationRange(start: Location(group: .max, object: .max), end: Location(group: 0, object: 0))
    }
}
