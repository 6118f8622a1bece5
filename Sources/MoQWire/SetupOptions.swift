// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What an endpoint says about itself at the start of a session (draft-18 §10.3.1, "Setup Options"; the "Setup
/// Parameters" of the older drafts).
public struct SetupOptions: Hashable, Sendable {
    /// Path and query of the URI that the client connects to. Raw QUIC only, from clients only.
    public var path: String?
    /// Authority of the URI that the client connects to. Raw QUIC only, from clients only.
    public var authority: String?
    /// The first request id that the peer may not use yet. Up to draft 16, where leaving it out allows no request.
    public var maxRequestID: RequestID?
    /// How many bytes of registered tokens the sender is willing to keep. Default 0.
    public var maxAuthTokenCacheSize: UInt64?
    /// Tokens that authorize the session.
    public var tokens: [AuthorizationToken]
    /// Name and version of the sender's software.
    public var implementation: String?
    /// The versions that a client offers or the one that a server selects, as on the wire. Draft 14 only.
    public var versions: [UInt64]
    /// Options that the draft does not know, in wire order. Receivers ignore them.
    public var unknown: [KeyValuePair]

    /// Makes a set in which everything that is not given is absent.
    public init(
        path: String? = nil,
        authority: String? = nil,
        maxRequestID: RequestID? = nil,
        maxAuthTokenCacheSize: UInt64? = nil,
        tokens: [AuthorizationToken] = [],
        implementation: String? = nil,
        versions: [UInt64] = [],
        unknown: [KeyValuePair] = []
    ) {
        self.path = path
        self.authority = authority
        self.maxRequestID = maxRequestID
        self.maxAuthTokenCacheSize = maxAuthTokenCacheSize
        self.tokens = tokens
        self.implementation = implementation
        self.versions = versions
        self.unknown = unknown
    }
}
