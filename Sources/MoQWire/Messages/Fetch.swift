// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// FETCH (draft-18 §10.12): asks for objects of the past, on one stream.
public struct Fetch: Hashable, Sendable {
    /// The id of this request.
    public var requestID: RequestID
    /// What is asked for.
    public var target: FetchTarget
    /// Priority against the other requests of the session; lower goes first. Default 128.
    public var subscriberPriority: UInt8?
    /// The order in which the groups are sent. Default ascending.
    public var groupOrder: GroupOrder?
    /// How many milliseconds a relay may spend on finding missing objects (draft 18 and later).
    public var fillTimeout: UInt64?
    /// Tokens that authorize the request.
    public var tokens: [AuthorizationToken]

    /// Makes the message of its fields.
    public init(
        requestID: RequestID,
        target: FetchTarget,
        subscriberPriority: UInt8? = nil,
        groupOrder: GroupOrder? = nil,
        fillTimeout: UInt64? = nil,
        tokens: [AuthorizationToken] = []
    ) {
        self.requestID = requestID
        self.target = target
        self.subscriberPriority = subscriberPriority
        self.groupOrder = groupOrder
        self.fillTimeout = fillTimeout
        self.tokens = tokens
    }
}
