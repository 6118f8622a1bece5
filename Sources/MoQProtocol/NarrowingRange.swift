// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// The range of a subscription where updates can only narrow it, as both sides know it (draft-14 §9.10,
/// "SUBSCRIBE_UPDATE").
///
/// Relative filters are resolved against the largest location that the publisher communicated, which is what both sides
/// have seen; the publisher may have begun a little later.
public struct NarrowingRange: Hashable, Sendable {
    /// The locations that pass.
    public private(set) var range: LocationRange

    /// Resolves the filter of the request.
    public init(_ filter: SubscriptionFilter?, communicated largest: Location?) {
        self.range = (filter ?? .unfiltered).range(largest: largest)
    }

    /// The filter that says the same without reference to what has been published, for what does not lie before `start`.
    public func filter(from start: Location = Location(group: 0, object: 0)) -> SubscriptionFilter {
        let start = max(start, self.range.start)
        guard let end = self.range.end else {
            return .absoluteStart(start)
        }
        return .absoluteRange(start: start, endGroup: end.group)
    }

    /// Takes an absolute filter over. Returns false, and changes nothing, when the filter is relative, ends before it
    /// starts, or would let pass what did not before.
    public mutating func narrow(to filter: SubscriptionFilter) -> Bool {
        let new: LocationRange
        switch filter {
        case .unfiltered, .absoluteStart, .absoluteRange: new = filter.range(largest: nil)
        case .nextGroup, .nextObject, .relativeGroup, .objects: return false
        }
        guard new.start >= self.range.start else {
            return false
        }
        if let end = new.end {
            guard end >= new.start, self.range.end.map({ end <= $0 }) ?? true else {
                return false
            }
        } else if self.range.end != nil {
            return false
        }
        self.range = new
        return true
    }
}
