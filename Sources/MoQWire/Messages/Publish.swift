// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// PUBLISH (draft-18 §10.10): offers a track to the peer, which becomes its subscriber by accepting.
public struct Publish: Hashable, Sendable {
    /// The id of this request.
    public var requestID: RequestID
    /// The track.
    public var track: FullTrackName
    /// The number that stands for the track on data streams and in datagrams.
    public var trackAlias: TrackAlias
    /// After how many milliseconds the sender will end the subscription; nil or 0 when it does not say.
    public var expires: UInt64?
    /// The largest location of the track that the sender knows; nil while nothing was published.
    public var largestObject: Location?
    /// Whether objects will be sent before the peer asks for them. Default true.
    public var forward: Bool?
    /// Tokens that authorize the request.
    public var tokens: [AuthorizationToken]
    /// Properties of the track ("Track Extensions" in draft 16).
    public var properties: PropertyList

    /// Makes the message of its fields.
    public init(
        requestID: RequestID,
        track: FullTrackName,
        trackAlias: TrackAlias,
        expires: UInt64? = nil,
        largestObject: Location? = nil,
        forward: Bool? = nil,
        tokens: [AuthorizationToken] = [],
        properties: PropertyList = PropertyList()
    ) {
        self.requestID = requestID
        self.track = track
        self.trackAlias = trackAlias
        self.expires = expires
        self.largestObject = largestObject
        self.forward = forward
        self.tokens = tokens
        self.properties = properties
    }
}
