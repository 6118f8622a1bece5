// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// A position in a track: a group and an object in it (draft-ietf-moq-transport-18 §1.4.2, "Location").
///
/// Locations are ordered by group, then by object.
public struct Location: Hashable, Comparable, Sendable {
    /// The group.
    public var group: UInt64
    /// The object within the group.
    public var object: UInt64

    /// Makes a location from its group and object ids.
    public init(group: UInt64, object: UInt64) {
        self.group = group
        self.object = object
    }

    /// Orders by group, then by object.
    @inlinable
    public static func < (lhs: Location, rhs: Location) -> Bool {
        (lhs.group, lhs.object) < (rhs.group, rhs.object)
    }
}
