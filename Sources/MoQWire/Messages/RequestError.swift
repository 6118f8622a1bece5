// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// REQUEST_ERROR (draft-18 §10.6): a request failed.
public struct RequestError: Hashable, Sendable {
    /// The request that is answered. On the wire up to draft 16; from draft 18 on the request's own stream says it and
    /// the receiver of the stream fills it in.
    public var requestID: RequestID?
    /// What kind of request is answered, when the stream says it (draft 18 and later) or the message type does (draft 14).
    public var answers: RequestKind?
    /// Why it failed.
    public var code: RequestErrorCode
    /// After how many milliseconds the request may be made again; nil when it should not be made again.
    public var retryAfter: UInt64?
    /// A text for people.
    public var reason: ReasonPhrase
    /// Where to ask instead: present exactly when ``code`` is `.redirect` (draft 18 and later).
    public var redirect: Redirect?

    /// Makes the message of its fields.
    public init(
        requestID: RequestID? = nil,
        answers: RequestKind? = nil,
        code: RequestErrorCode,
        retryAfter: UInt64? = nil,
        reason: ReasonPhrase = ReasonPhrase(),
        redirect: Redirect? = nil
    ) {
        self.requestID = requestID
        self.answers = answers
        self.code = code
        self.retryAfter = retryAfter
        self.reason = reason
        self.redirect = redirect
    }
}
