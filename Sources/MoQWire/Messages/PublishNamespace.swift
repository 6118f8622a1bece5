// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// PUBLISH_NAMESPACE (draft-18 §10.15): the sender has tracks in this namespace.
public struct PublishNamespace: Hashable, Sendable {
    /// The id of this request.
    public var requestID: RequestID
    /// The namespace.
    public var namespace: TrackNamespace
    /// Tokens that authorize the request.
    public var tokens: [AuthorizationToken]

    /// Makes the message of its fields.
    public init(
        requestID: RequestID,
        namespace: TrackNamespace,
        tokens: [AuthorizationToken] = []
    ) {
        self.requestID = requestID
        self.namespace = namespace
        self.tokens = tokens
    }
}
