// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// REQUEST_UPDATE (draft-18 §10.9): changes a request that was made before. What is absent stays as it was.
public struct RequestUpdate: Hashable, Sendable {
    /// The id of the update itself.
    public var requestID: RequestID
    /// The request to change. On the wire up to draft 16; from draft 18 on the stream says it and the receiver of the
    /// stream fills it in.
    public var existingRequestID: RequestID?
    /// What changes about a subscription or, with its priority alone, about a fetch.
    public var parameters: SubscriptionParameters
    /// The new prefix of a namespace subscription (draft 18 and later).
    public var namespacePrefix: TrackNamespace?
    /// Tokens that authorize the change.
    public var tokens: [AuthorizationToken]

    /// Makes the message of its fields.
    public init(
        requestID: RequestID,
        existingRequestID: RequestID? = nil,
        parameters: SubscriptionParameters = SubscriptionParameters(),
        namespacePrefix: TrackNamespace? = nil,
        tokens: [AuthorizationToken] = []
    ) {
        self.requestID = requestID
        self.existingRequestID = existingRequestID
        self.parameters = parameters
        self.namespacePrefix = namespacePrefix
        self.tokens = tokens
    }
}
