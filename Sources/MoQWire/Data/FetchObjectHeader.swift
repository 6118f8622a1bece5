// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What precedes the payload of an object on a fetch stream (draft-18 §11.4.4, "Fetch Header").
public struct FetchObjectHeader: Hashable, Sendable {
    /// The group and the object.
    public var location: Location
    /// The subgroup, or nil for an object that was published as a datagram.
    public var subgroupID: UInt64?
    /// The publisher's priority.
    public var publisherPriority: UInt8
    /// The properties of the object.
    public var properties: PropertyList
    /// How many bytes of payload follow.
    public var payloadLength: UInt64
    /// What an object without payload says about its track. Anything but normal exists in draft 14 only.
    public var status: ObjectStatus

    /// Makes a header of its fields.
    public init(
        location: Location,
        subgroupID: UInt64?,
        publisherPriority: UInt8,
        properties: PropertyList = PropertyList(),
        payloadLength: UInt64,
        status: ObjectStatus = .normal
    ) {
        self.location = location
        self.subgroupID = subgroupID
        self.publisherPriority = publisherPriority
        self.properties = properties
        self.payloadLength = payloadLength
        self.status = status
    }
}

/// Why a range of objects is left out of a fetch stream (draft-18 §11.4.4.2, "End of Range").
public enum FetchGap: UInt64, Hashable, Sendable {
    /// The objects do not exist.
    case nonExistent = 0x8C
    /// The publisher does not know whether the objects exist.
    case unknown = 0x10C
}

/// The bits of the serialization flags of a fetch object (draft-18 §11.4.4.1, "Flags").
enum FetchFlags {
    static let subgroupMode: UInt64 = 0x03
    static let objectID: UInt64 = 0x04
    static let groupID: UInt64 = 0x08
    static let priority: UInt64 = 0x10
    static let properties: UInt64 = 0x20
    static let datagram: UInt64 = 0x40
    static let limit: UInt64 = 0x80
}

/// What the flags of a fetch object may refer back to. An end of a range replaces only the location.
struct FetchPrior: Hashable, Sendable {
    var location: Location?
    var subgroupID: UInt64?
    var publisherPriority: UInt8?
}
