// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// MAX_REQUEST_ID (draft-16 §9.5): the peer may use all request ids below this one. Up to draft 16.
public struct MaxRequestID: Hashable, Sendable {
    /// The first request id that is not allowed.
    public var maximum: RequestID

    /// Makes the message of its fields.
    public init(maximum: RequestID) {
        self.maximum = maximum
    }
}
