// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// SUBSCRIBE_TRACKS (draft-18 §10.19): asks for a PUBLISH of every track below a prefix. Draft 18 and later.
public struct SubscribeTracks: Hashable, Sendable {
    /// The id of this request.
    public var requestID: RequestID
    /// The prefix; without fields it matches every namespace.
    public var prefix: TrackNamespace
    /// The forward state of the tracks that are offered as a result. Default true.
    public var forward: Bool?
    /// Tokens that authorize the request.
    public var tokens: [AuthorizationToken]

    /// Makes the message of its fields.
    public init(
        requestID: RequestID,
        prefix: TrackNamespace,
        forward: Bool? = nil,
        tokens: [AuthorizationToken] = []
    ) {
        self.requestID = requestID
        self.prefix = prefix
        self.forward = forward
        self.tokens = tokens
    }
}
