// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What the peer said when it asked this side to leave (draft-18 §10.4, "GOAWAY").
public struct SessionGoaway: Hashable, Sendable {
    /// Where to go instead; nil for the same place.
    public var newSessionURI: String?
    /// How long the peer waits before it ends the session; nil when it did not say, as no draft before 18 can.
    public var timeout: Duration?

    /// Makes it of its parts.
    public init(newSessionURI: String? = nil, timeout: Duration? = nil) {
        self.newSessionURI = newSessionURI
        self.timeout = timeout
    }
}
