// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// PUBLISH_OK (draft-16 §9.14): the peer accepts the track. From draft 18 on it is a REQUEST_OK on the stream of a PUBLISH.
public struct PublishOk: Hashable, Sendable {
    /// The request that is answered. On the wire up to draft 16; from draft 18 on the request's own stream says it and
    /// the receiver of the stream fills it in.
    public var requestID: RequestID?
    /// How the subscriber wants the objects.
    public var parameters: SubscriptionParameters
    /// After how many milliseconds the sender will end the subscription; nil or 0 when it does not say.
    public var expires: UInt64?

    /// Makes the message of its fields.
    public init(
        requestID: RequestID? = nil,
        parameters: SubscriptionParameters = SubscriptionParameters(),
        expires: UInt64? = nil
    ) {
        self.requestID = requestID
        self.parameters = parameters
        self.expires = expires
    }
}
