// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// What ``MoQSession/publish(_:response:)`` offers (draft-18 §10.10, "PUBLISH").
public struct PublishRequest: Hashable, Sendable {
    /// The track.
    public var track: FullTrackName
    /// Whether objects are to flow unless the subscriber says otherwise. With false the subscriber turns them on.
    public var forward: Bool
    /// The largest location published so far; nil while nothing was.
    public var largestObject: Location?
    /// After how many milliseconds this side will end the subscription; nil for never. The peer is told, except on draft 14,
    /// which cannot say it.
    public var expires: UInt64?
    /// Tokens that authorize the request.
    public var tokens: [AuthorizationToken]
    /// Properties of the track.
    public var properties: PropertyList

    /// Offers a track.
    public init(
        track: FullTrackName,
        forward: Bool = true,
        largestObject: Location? = nil,
        expires: UInt64? = nil,
        tokens: [AuthorizationToken] = [],
        properties: PropertyList = PropertyList()
    ) {
        self.track = track
        self.forward = forward
        self.largestObject = largestObject
        self.expires = expires
        self.tokens = tokens
        self.properties = properties
    }
}

/// What a subscriber answered to PUBLISH (draft-18 §10.5, "REQUEST_OK").
public struct PublishOkInfo: Hashable, Sendable {
    /// What the subscriber asks for; what is nil has the draft's default.
    public var parameters: SubscriptionParameters
    /// After how many milliseconds the subscriber lets the subscription expire; nil when it did not say.
    public var expires: UInt64?

    /// Makes an answer of its parts.
    public init(parameters: SubscriptionParameters = SubscriptionParameters(), expires: UInt64? = nil) {
        self.parameters = parameters
        self.expires = expires
    }

    /// Whether the subscriber wants objects now.
    public var forward: Bool {
        self.parameters.forward ?? true
    }
}
