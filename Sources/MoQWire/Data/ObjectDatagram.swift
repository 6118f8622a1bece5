// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What precedes the payload of an object in a datagram (draft-18 §11.3.1, "Object Datagram").
public struct ObjectDatagram: Hashable, Sendable {
    /// The track, as numbered by the publisher.
    public var trackAlias: TrackAlias
    /// The group.
    public var groupID: UInt64
    /// The object within the group.
    public var objectID: UInt64
    /// The publisher's priority; nil for the default of the track.
    public var publisherPriority: UInt8?
    /// The properties of the object. Empty unless the status is normal.
    public var properties: PropertyList
    /// Whether the group has no larger object. Only for objects of normal status.
    public var endsGroup: Bool
    /// What kind of object it is. Only an object of normal status has a payload.
    public var status: ObjectStatus

    /// Makes a header of its fields.
    public init(
        trackAlias: TrackAlias,
        groupID: UInt64,
        objectID: UInt64,
        publisherPriority: UInt8? = nil,
        properties: PropertyList = PropertyList(),
        endsGroup: Bool = false,
        status: ObjectStatus = .normal
    ) {
        self.trackAlias = trackAlias
        self.groupID = groupID
        self.objectID = objectID
        self.publisherPriority = publisherPriority
        self.properties = properties
        self.endsGroup = endsGroup
        self.status = status
    }
}
