// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// SUBSCRIBE_OK (draft-18 §10.8): the subscription stands.
public struct SubscribeOk: Hashable, Sendable {
    /// The request that is answered. On the wire up to draft 16; from draft 18 on the request's own stream says it and
    /// the receiver of the stream fills it in.
    public var requestID: RequestID?
    /// The number that stands for the track on data streams and in datagrams.
    public var trackAlias: TrackAlias
    /// After how many milliseconds the sender will end the subscription; nil or 0 when it does not say.
    public var expires: UInt64?
    /// The largest location of the track that the sender knows; nil while nothing was published.
    public var largestObject: Location?
    /// The order in which the groups will come. Draft 14 says it; the later drafts leave it out, because there it follows
    /// from the request and the properties.
    public var groupOrder: GroupOrder?
    /// Properties of the track ("Track Extensions" in draft 16).
    public var properties: PropertyList

    /// Makes the message of its fields.
    public init(
        requestID: RequestID? = nil,
        trackAlias: TrackAlias,
        expires: UInt64? = nil,
        largestObject: Location? = nil,
        groupOrder: GroupOrder? = nil,
        properties: PropertyList = PropertyList()
    ) {
        self.requestID = requestID
        self.trackAlias = trackAlias
        self.expires = expires
        self.largestObject = largestObject
        self.groupOrder = groupOrder
        self.properties = properties
    }
}
