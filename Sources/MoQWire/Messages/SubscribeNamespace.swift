// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// SUBSCRIBE_NAMESPACE (draft-18 §10.18): asks for the namespaces that begin with a prefix, now and in the future.
public struct SubscribeNamespace: Hashable, Sendable {
    /// The id of this request.
    public var requestID: RequestID
    /// The prefix; without fields it matches every namespace.
    public var prefix: TrackNamespace
    /// What to announce. Anything but namespaces alone exists up to draft 16; later there is ``SubscribeTracks``.
    public var interest: Interest
    /// The forward state of the tracks that are offered as a result. Up to draft 16. Default true.
    public var forward: Bool?
    /// Tokens that authorize the request.
    public var tokens: [AuthorizationToken]

    /// Makes the message of its fields.
    public init(
        requestID: RequestID,
        prefix: TrackNamespace,
        interest: Interest = .namespaces,
        forward: Bool? = nil,
        tokens: [AuthorizationToken] = []
    ) {
        self.requestID = requestID
        self.prefix = prefix
        self.interest = interest
        self.forward = forward
        self.tokens = tokens
    }

    /// What the sender wants to hear about.
    public enum Interest: UInt8, Hashable, Sendable {
        /// PUBLISH for each matching track.
        case tracks = 0
        /// NAMESPACE and NAMESPACE_DONE.
        case namespaces = 1
        /// Both.
        case both = 2
    }
}
