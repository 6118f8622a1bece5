// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// PUBLISH_DONE (draft-18 §10.11): the publisher has closed all data streams of a subscription and will open no more.
public struct PublishDone: Hashable, Sendable {
    /// The subscription that ended. On the wire up to draft 16; filled in by the receiver of the stream later.
    public var requestID: RequestID?
    /// Why it ended.
    public var status: PublishDoneStatus
    /// How many data streams were opened; nil when the publisher does not know.
    public var streamCount: UInt64?
    /// A text for people.
    public var reason: ReasonPhrase

    /// Makes the message of its fields.
    public init(
        requestID: RequestID? = nil,
        status: PublishDoneStatus,
        streamCount: UInt64?,
        reason: ReasonPhrase = ReasonPhrase()
    ) {
        self.requestID = requestID
        self.status = status
        self.streamCount = streamCount
        self.reason = reason
    }
}
