// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What precedes the payload of an object on a subgroup stream (draft-18 §11.4.2).
public struct ObjectHeader: Hashable, Sendable {
    /// The object within its group.
    public var objectID: UInt64
    /// The properties of the object. Empty unless the header of the subgroup allows them and the status is normal.
    public var properties: PropertyList
    /// How many bytes of payload follow. 0 unless the status is normal.
    public var payloadLength: UInt64
    /// What kind of object it is.
    public var status: ObjectStatus

    /// Makes a header of its fields.
    public init(
        objectID: UInt64,
        properties: PropertyList = PropertyList(),
        payloadLength: UInt64,
        status: ObjectStatus = .normal
    ) {
        self.objectID = objectID
        self.properties = properties
        self.payloadLength = payloadLength
        self.status = status
    }
}
