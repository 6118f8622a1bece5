// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// REQUESTS_BLOCKED (draft-16 §9.6): the sender would make a request but has no id left. Up to draft 16.
public struct RequestsBlocked: Hashable, Sendable {
    /// The limit that is in the way.
    public var maximum: RequestID

    /// Makes the message of its fields.
    public init(maximum: RequestID) {
        self.maximum = maximum
    }
}
