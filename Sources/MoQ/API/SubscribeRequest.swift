// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// What ``MoQSession/subscribe(_:consumer:response:)`` asks for (draft-18 §10.7, "SUBSCRIBE").
public struct SubscribeRequest: Hashable, Sendable {
    /// The track.
    public var track: FullTrackName
    /// Priority, order, filter and the rest; what is nil takes the draft's default.
    public var parameters: SubscriptionParameters
    /// Tokens that authorize the request.
    public var tokens: [AuthorizationToken]

    /// Asks for a track.
    public init(
        track: FullTrackName,
        parameters: SubscriptionParameters = SubscriptionParameters(),
        tokens: [AuthorizationToken] = []
    ) {
        self.track = track
        self.parameters = parameters
        self.tokens = tokens
    }
}
