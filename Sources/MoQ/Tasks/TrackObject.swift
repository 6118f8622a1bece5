// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire
public import WebTransport

/// A whole object, as a task reads it.
public struct TrackObject: Hashable, Sendable {
    /// Its group, and its number in the group.
    public var location: Location
    /// The subgroup; nil when it was published as a datagram.
    public var subgroup: UInt64?
    /// The publisher's priority, lower first.
    public var publisherPriority: UInt8
    /// The properties of the object.
    public var properties: PropertyList
    /// Anything but normal is a mark without a payload, as of the end of a group.
    public var status: ObjectStatus
    /// The payload.
    public var payload: Bytes

    /// Makes an object of its parts.
    public init(
        location: Location,
        subgroup: UInt64?,
        publisherPriority: UInt8 = 128,
        properties: PropertyList = PropertyList(),
        status: ObjectStatus = .normal,
        payload: Bytes
    ) {
        self.location = location
        self.subgroup = subgroup
        self.publisherPriority = publisherPriority
        self.properties = properties
        self.status = status
        self.payload = payload
    }

    /// How many bytes of memory the object asks for.
    var byteCount: Int {
        self.payload.count + self.properties.bytes.count
    }
}
