// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// What ``MoQSession/fetch(_:consumer:response:)`` asks for: a range of a track (draft-18 §10.12.1, "Standalone Fetch").
public struct FetchRequest: Hashable, Sendable {
    /// The track.
    public var track: FullTrackName
    /// The first location that is wanted.
    public var start: Location
    /// The last one.
    public var end: FetchEnd
    /// Priority, order and the rest.
    public var parameters: FetchParameters

    /// Asks for everything from `start` through `end`.
    public init(
        track: FullTrackName,
        from start: Location,
        through end: FetchEnd,
        parameters: FetchParameters = FetchParameters()
    ) {
        self.track = track
        self.start = start
        self.end = end
        self.parameters = parameters
    }
}

/// Where a fetch begins that ends where a subscription began (draft-18 §10.12.2, "Joining Fetches").
public enum JoiningStart: Hashable, Sendable {
    /// So many groups before the one in which the subscription began; 0 is that group. Not before the first one.
    case groupsBack(UInt64)
    /// With this group.
    case group(UInt64)
}

/// What a fetch may say besides its range.
public struct FetchParameters: Hashable, Sendable {
    /// Priority against the other requests of the session; lower goes first. Default 128.
    public var subscriberPriority: UInt8?
    /// The order of the groups. Default ascending.
    public var groupOrder: GroupOrder?
    /// How many milliseconds a relay may spend on finding missing objects (draft 18 and later).
    public var fillTimeout: UInt64?
    /// Tokens that authorize the request.
    public var tokens: [AuthorizationToken]

    /// Makes a set in which everything that is not given is absent.
    public init(
        subscriberPriority: UInt8? = nil,
        groupOrder: GroupOrder? = nil,
        fillTimeout: UInt64? = nil,
        tokens: [AuthorizationToken] = []
    ) {
        self.subscriberPriority = subscriberPriority
        self.groupOrder = groupOrder
        self.fillTimeout = fillTimeout
        self.tokens = tokens
    }
}
