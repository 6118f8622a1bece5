// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What is known about a subgroup when it begins (draft-18 §11.4.2, "Subgroup Header").
public struct SubgroupDescription: Hashable, Sendable {
    /// The group that the subgroup is part of.
    public var group: UInt64
    /// The subgroup's id in its group.
    public var subgroup: UInt64
    /// The publisher's priority, lower first. Where the stream does not say, the default of the track.
    public var publisherPriority: UInt8
    /// Whether the stream carries its priority itself.
    public var hasExplicitPriority: Bool
    /// Whether objects may carry properties.
    public var hasProperties: Bool
    /// Whether the subgroup ends with the last object of the group.
    public var containsEndOfGroup: Bool
    /// Whether it begins with the first object of the subgroup. Drafts before 18 do not say; then it is false.
    public var isFirstObject: Bool
    /// An object of the subgroup that is known to come before the first one, for a subscriber that joins in the middle; nil
    /// when none is known. Where such a subscriber has asked for it, the subgroup does not end as if it were complete
    /// (draft-18 §11.4.3). It is not on the wire.
    public var precedingObject: UInt64?

    /// Describes a subgroup. The defaults are those of an original publisher that opens a new subgroup.
    public init(
        group: UInt64,
        subgroup: UInt64 = 0,
        publisherPriority: UInt8 = 128,
        hasExplicitPriority: Bool = true,
        hasProperties: Bool = false,
        containsEndOfGroup: Bool = false,
        isFirstObject: Bool = true,
        precedingObject: UInt64? = nil
    ) {
        self.group = group
        self.subgroup = subgroup
        self.publisherPriority = publisherPriority
        self.hasExplicitPriority = hasExplicitPriority
        self.hasProperties = hasProperties
        self.containsEndOfGroup = containsEndOfGroup
        self.isFirstObject = isFirstObject
        self.precedingObject = precedingObject
    }
}
