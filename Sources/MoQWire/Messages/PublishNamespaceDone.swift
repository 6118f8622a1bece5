// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// PUBLISH_NAMESPACE_DONE (draft-16 §9.22): the offer of a namespace ends. Up to draft 16; later the request stream is closed.
public struct PublishNamespaceDone: Hashable, Sendable {
    /// The PUBLISH_NAMESPACE that ends. On the wire in draft 16.
    public var requestID: RequestID?
    /// The namespace. On the wire in draft 14.
    public var namespace: TrackNamespace?

    /// Makes the message of its fields.
    public init(requestID: RequestID? = nil, namespace: TrackNamespace? = nil) {
        self.requestID = requestID
        self.namespace = namespace
    }
}
