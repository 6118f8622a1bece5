// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// TRACK_STATUS (draft-18 §10.14): asks about a track without subscribing to it.
public struct TrackStatus: Hashable, Sendable {
    /// The id of this request.
    public var requestID: RequestID
    /// The track.
    public var track: FullTrackName
    /// Tokens that authorize the request.
    public var tokens: [AuthorizationToken]

    /// Makes the message of its fields.
    public init(
        requestID: RequestID,
        track: FullTrackName,
        tokens: [AuthorizationToken] = []
    ) {
        self.requestID = requestID
        self.track = track
        self.tokens = tokens
    }
}
