// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// UNSUBSCRIBE (draft-16 §9.12): ends a subscription. Up to draft 16; later the request stream is closed instead.
public struct Unsubscribe: Hashable, Sendable {
    /// The request that this is about.
    public var requestID: RequestID

    /// Makes the message of its fields.
    public init(requestID: RequestID) {
        self.requestID = requestID
    }
}
