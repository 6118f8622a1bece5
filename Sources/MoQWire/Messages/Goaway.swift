// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// GOAWAY (draft-18 §10.4): the sender is about to end the session, or from draft 18 on a single request.
public struct Goaway: Hashable, Sendable {
    /// Where to go instead; empty for the present URI. Only a server may say it. At most 8,192 bytes.
    public var newSessionURI: String
    /// How many milliseconds the sender will wait. Draft 18 and later; nil is sent as 0 there.
    public var timeout: UInt64?
    /// The smallest request id of the receiver that was not processed. On the control stream of draft 18 only.
    public var requestID: RequestID?

    /// Makes the message of its fields.
    public init(
        newSessionURI: String = "",
        timeout: UInt64? = nil,
        requestID: RequestID? = nil
    ) {
        self.newSessionURI = newSessionURI
        self.timeout = timeout
        self.requestID = requestID
    }
}
