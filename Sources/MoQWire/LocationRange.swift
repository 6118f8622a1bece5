// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// The part of a track that a filter lets through: from a first location to an optional last one, both included.
public struct LocationRange: Hashable, Sendable {
    /// The first location in the range.
    public var start: Location
    /// The last location in the range, or nil when the range has no end.
    public var end: Location?

    /// Makes a range of its bounds, both of which belong to it.
    public init(start: Location, end: Location? = nil) {
        self.start = start
        self.end = end
    }

    /// Whether the location is in the range.
    @inlinable
    public func contains(_ location: Location) -> Bool {
        guard location >= self.start else {
            return false
        }
        guard let end = self.end else {
            return true
        }
        return location <= end
    }
}
