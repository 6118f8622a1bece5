// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// How the header of a subgroup stream says which subgroup it is.
public enum SubgroupIDSource: Hashable, Sendable {
    /// It is subgroup 0, and the header does not say so.
    case zero
    /// It has the id of the first object on the stream.
    case firstObject
    /// The header carries the id.
    case explicit(UInt64)

    /// The id of the subgroup, once the id of the first object is known.
    @inlinable
    public func subgroupID(firstObject: UInt64) -> UInt64 {
        switch self {
        case .zero: 0
        case .firstObject: firstObject
        case .explicit(let id): id
        }
    }
}

/// What stands at the beginning of a subgroup stream (draft-18 §11.4.2, "Subgroup Header").
public struct SubgroupHeader: Hashable, Sendable {
    /// The track, as numbered by the publisher.
    public var trackAlias: TrackAlias
    /// The group.
    public var groupID: UInt64
    /// The subgroup within the group.
    public var subgroupID: SubgroupIDSource
    /// The publisher's priority; nil for the default of the track.
    public var publisherPriority: UInt8?
    /// Whether the objects on the stream have a place for properties.
    public var hasProperties: Bool
    /// Whether the last object of the group is in this subgroup: a FIN then ends the group.
    public var containsEndOfGroup: Bool
    /// Whether the first object on the stream is the first one that was ever published in the subgroup. Draft 18 and
    /// later; encoders of older drafts leave it out, because there it cannot be known.
    public var isFirstObject: Bool

    /// Makes a header of its fields.
    public init(
        trackAlias: TrackAlias,
        groupID: UInt64,
        subgroupID: SubgroupIDSource = .zero,
        publisherPriority: UInt8? = nil,
        hasProperties: Bool = false,
        containsEndOfGroup: Bool = false,
        isFirstObject: Bool = false
    ) {
        self.trackAlias = trackAlias
        self.groupID = groupID
        self.subgroupID = subgroupID
        self.publisherPriority = publisherPriority
        self.hasProperties = hasProperties
        self.containsEndOfGroup = containsEndOfGroup
        self.isFirstObject = isFirstObject
    }
}
