// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// FETCH_OK (draft-18 §10.13): what the answer to a FETCH covers.
public struct FetchOk: Hashable, Sendable {
    /// The request that is answered. On the wire up to draft 16; from draft 18 on the request's own stream says it and
    /// the receiver of the stream fills it in.
    public var requestID: RequestID?
    /// Whether the track is complete and ``end`` is its last object.
    public var endOfTrack: Bool
    /// Where the answer ends.
    public var end: FetchEnd
    /// The order in which the groups will come. Draft 14 says it; the later drafts leave it out, because there it follows
    /// from the request and the properties.
    public var groupOrder: GroupOrder?
    /// Properties of the track ("Track Extensions" in draft 16).
    public var properties: PropertyList

    /// Makes the message of its fields.
    public init(
        requestID: RequestID? = nil,
        endOfTrack: Bool,
        end: FetchEnd,
        groupOrder: GroupOrder? = nil,
        properties: PropertyList = PropertyList()
    ) {
        self.requestID = requestID
        self.endOfTrack = endOfTrack
        self.end = end
        self.groupOrder = groupOrder
        self.properties = properties
    }
}
