// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// What ``MoQSessionConfiguration/authorizer`` decides about: something that the peer wants to do, and the tokens that it
/// shows for it (draft-18 §10.2.2, "AUTHORIZATION TOKEN Parameter").
public struct AuthorizationRequest: Hashable, Sendable {
    /// What the peer wants to do.
    public enum Operation: Hashable, Sendable {
        /// To have a session. Asked once, when its SETUP has arrived.
        case session
        /// To make such a request.
        case request(RequestKind)
        /// To change such a request, with tokens. An update without tokens cannot reach anything that was not allowed
        /// before, and nobody is asked.
        case update(RequestKind)
    }

    /// What the peer wants to do.
    public var operation: Operation
    /// The track that it is about; nil when it is about none.
    public var track: FullTrackName?
    /// The namespace that it is about: that of the track, the one that is announced, or the prefix that is asked for. Nil
    /// for a session.
    public var namespace: TrackNamespace?
    /// The tokens that came with it, aliases resolved.
    public var credentials: [AuthorizationCredential]
    /// Those of the peer's SETUP, which hold for the session.
    public var sessionCredentials: [AuthorizationCredential]

    /// Makes a request of its parts.
    public init(
        operation: Operation,
        track: FullTrackName? = nil,
        namespace: TrackNamespace? = nil,
        credentials: [AuthorizationCredential] = [],
        sessionCredentials: [AuthorizationCredential] = []
    ) {
        self.operation = operation
        self.track = track
        self.namespace = namespace ?? track?.namespace
        self.credentials = credentials
        self.sessionCredentials = sessionCredentials
    }
}

/// What an application says to an ``AuthorizationRequest``.
public enum AuthorizationDecision: Hashable, Sendable {
    /// The peer may do it.
    case allowed
    /// It may not: UNAUTHORIZED.
    case unauthorized(reason: String)
    /// A token has not the form that its type demands: MALFORMED_AUTH_TOKEN.
    case malformedToken(reason: String)
    /// A token was valid and is not any more: EXPIRED_AUTH_TOKEN.
    case expiredToken(reason: String)
}
