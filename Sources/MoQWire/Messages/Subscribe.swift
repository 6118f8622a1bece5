// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// SUBSCRIBE (draft-18 §10.7): asks for the objects of a track as they are published.
public struct Subscribe: Hashable, Sendable {
    /// The id of this request.
    public var requestID: RequestID
    /// The track.
    public var track: FullTrackName
    /// How the subscriber wants the objects.
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
