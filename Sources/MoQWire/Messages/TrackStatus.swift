// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// TRACK_STATUS (draft-18 §10.14): asks about a track without subscribing to it.
public struct TrackStatus: Hashable, Sendable {
    /// The id of this request.
    public var requestID: RequestID
    /// The track.
    public var track: FullTrackName
    /// How a subscription to the track would be made. Draft 14, where the message has the form of SUBSCRIBE.
    public var parameters: SubscriptionParameters
    /// Tokens that authorize the request.
    public var tokens: [AuthorizationToken]

    /// Makes the message of its fields.
    public init(
        requestID: RequestID,
        track: FullTrackName,
        parameters: SubscriptionParameters = SubscriptionParameters(),
        tokens: [AuthorizationToken] = []
    ) {
        self.requestID = requestID
        self.track = track
        self.parameters = parameters
        self.tokens = tokens
    }
}
