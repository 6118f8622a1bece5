// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// FETCH_CANCEL (draft-16 §9.18): ends a fetch. Up to draft 16; later the request stream is closed.
public struct FetchCancel: Hashable, Sendable {
    /// The request that this is about.
    public var requestID: RequestID

    /// Makes the message of its fields.
    public init(requestID: RequestID) {
        self.requestID = requestID
    }
}
