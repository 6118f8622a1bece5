// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// A connection that ended before it was established.
struct QUICHandshakeFailure: Error {
    var info: QUICCloseInfo
    /// Whether anything was heard from the peer.
    var peerAnswered: Bool
}
