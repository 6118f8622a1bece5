// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// REQUEST_OK (draft-18 §10.5): a request succeeded.
///
/// The answers to SUBSCRIBE, FETCH and PUBLISH are messages of their own in this model, whatever the draft.
public struct RequestOk: Hashable, Sendable {
    /// The request that is answered. On the wire up to draft 16; from draft 18 on the request's own stream says it and
    /// the receiver of the stream fills it in.
    public var requestID: RequestID?
    /// What kind of request is answered, when the stream says it (draft 18 and later) or the message type does (draft 14).
    /// Tells the encoder which parameters are allowed; nil allows what any answer may have.
    public var answers: RequestKind?
    /// After how many milliseconds the sender will end the subscription; nil or 0 when it does not say.
    public var expires: UInt64?
    /// The largest location of the track that the sender knows; nil while nothing was published.
    public var largestObject: Location?
    /// Properties of the track: in the answer to TRACK_STATUS of draft 18 and later only.
    public var properties: PropertyList

    /// Makes the message of its fields.
    public init(
        requestID: RequestID? = nil,
        answers: RequestKind? = nil,
        expires: UInt64? = nil,
        largestObject: Location? = nil,
        properties: PropertyList = PropertyList()
    ) {
        self.requestID = requestID
        self.answers = answers
        self.expires = expires
        self.largestObject = largestObject
        self.properties = properties
    }
}
