// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// In which order the groups of a track are sent (draft-18 §10.2.8, "GROUP ORDER Parameter").
public enum GroupOrder: UInt8, Hashable, Sendable {
    /// Older groups first.
    case ascending = 1
    /// Newer groups first.
    case descending = 2
}
