// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// PUBLISH_NAMESPACE_CANCEL (draft-16 §9.24): the receiver of an offer does not want it any more. Up to draft 16.
public struct PublishNamespaceCancel: Hashable, Sendable {
    /// The PUBLISH_NAMESPACE that is refused. On the wire in draft 16.
    public var requestID: RequestID?
    /// The namespace. On the wire in draft 14.
    public var namespace: TrackNamespace?
    /// Why.
    public var code: RequestErrorCode
    /// A text for people.
    public var reason: ReasonPhrase

    /// Makes the message of its fields.
    public init(
        requestID: RequestID? = nil,
        namespace: TrackNamespace? = nil,
        code: RequestErrorCode,
        reason: ReasonPhrase = ReasonPhrase()
    ) {
        self.requestID = requestID
        self.namespace = namespace
        self.code = code
        self.reason = reason
    }
}
