// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// Decides on the publisher's side which objects of a track a subscriber gets (draft-18 §5.1.2).
///
/// The filter is resolved once, against the largest location at that time; after that a subgroup is judged when it
/// begins, and single objects only in the groups at the edges.
public struct ObjectFilter: Hashable, Sendable {
    /// What a filter says about a group.
    public enum GroupVerdict: Hashable, Sendable {
        /// Nothing of the group passes: it lies before the start.
        case before
        /// All of it passes.
        case inside
        /// Some of it passes: ask for each object.
        case partial
        /// Nothing of it passes: it lies after the end.
        case after
    }

    /// The locations that pass.
    public private(set) var range: LocationRange

    /// Resolves a filter. nil passes everything.
    public init(_ filter: SubscriptionFilter?, largest: Location?) {
        self.range = (filter ?? .unfiltered).range(largest: largest)
    }

    /// Whether everything that could pass lies at or before `largest`, so that nothing will come (INVALID_RANGE).
    public func isExhausted(largest: Location?) -> Bool {
        guard let end = self.range.end else {
            return false
        }
        guard end >= self.range.start else {
            return true
        }
        guard let largest else {
            return false
        }
        return largest.group > end.group || largest >= end
    }

    /// What the filter says about a group.
    @inlinable
    public func verdict(group: UInt64) -> GroupVerdict {
        if group < self.range.start.group {
            return .before
        }
        if let end = self.range.end {
            if group > end.group {
                return .after
            }
            if group == end.group, end.object != .max {
                return .partial
            }
        }
        return group == self.range.start.group && self.range.start.object > 0 ? .partial : .inside
    }

    /// Whether an object passes.
    @inlinable
    public func passes(_ location: Location) -> Bool {
        self.range.contains(location)
    }
}
