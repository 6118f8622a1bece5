// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What the drafts disagree about on data streams and in datagrams. Small and without references, so that every stream
/// parser has its own copy.
public struct DataPlaneRules: Hashable, Sendable {
    /// How integers and the types of properties are written.
    public var coding: KeyValueCoding
    /// The bits that the type of a subgroup stream may have besides 0x10.
    public var subgroupTypeBits: UInt64
    /// The bits that the type of a datagram may have.
    public var datagramTypeBits: UInt64
    /// The bits that the type of a datagram with a status may have.
    public var statusDatagramTypeBits: UInt64
    /// Whether there is a status for objects that do not exist, and whether the other statuses go with properties.
    public var objectsMayBeMissing: Bool
    /// Whether each object of a fetch stream has all its fields, and a status when it is empty.
    public var fetchObjectsAreComplete: Bool
    /// Whether the group and object ids of a fetch stream are written as distances from the ones before.
    public var fetchIDsAreDeltas: Bool
    /// Whether there are padding streams and padding datagrams.
    public var hasPadding: Bool
    /// Whether a unidirectional stream can be a control stream.
    public var hasUnidirectionalControl: Bool

    /// Whether a subgroup or a datagram may leave its priority out, so that it has the track's default.
    public var prioritiesMayBeLeftOut: Bool {
        self.subgroupTypeBits & SubgroupTypeBits.defaultPriority != 0
    }

    /// Makes a set of rules.
    public init(
        coding: KeyValueCoding,
        subgroupTypeBits: UInt64,
        datagramTypeBits: UInt64,
        statusDatagramTypeBits: UInt64,
        objectsMayBeMissing: Bool,
        fetchObjectsAreComplete: Bool,
        fetchIDsAreDeltas: Bool,
        hasPadding: Bool,
        hasUnidirectionalControl: Bool
    ) {
        self.coding = coding
        self.subgroupTypeBits = subgroupTypeBits
        self.datagramTypeBits = datagramTypeBits
        self.statusDatagramTypeBits = statusDatagramTypeBits
        self.objectsMayBeMissing = objectsMayBeMissing
        self.fetchObjectsAreComplete = fetchObjectsAreComplete
        self.fetchIDsAreDeltas = fetchIDsAreDeltas
        self.hasPadding = hasPadding
        self.hasUnidirectionalControl = hasUnidirectionalControl
    }
}
