// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// How a connection ended.
public struct QUICCloseInfo: Sendable, Hashable, CustomStringConvertible {
    /// Who or what ended it.
    public enum Kind: Sendable, Hashable, CaseIterable {
        /// We closed it, with the code given then.
        case local
        /// The peer's application closed it; the code is the application's.
        case peer
        /// The peer's transport closed it; the code is QUIC's (RFC 9000 section 20.1).
        case peerTransport
        /// Our transport closed it because the peer broke the rules; the code is QUIC's.
        case localTransport
        /// Nothing was heard for too long.
        case idleTimeout
        /// The handshake did not finish in time.
        case handshakeTimeout
        /// The peer does not know the connection any more.
        case statelessReset
        /// No application protocol in common (TLS alert no_application_protocol).
        case noCommonProtocol
        /// The peer's certificate was not accepted, or the peer did not accept ours; the code is QUIC's.
        case certificate
        /// Another TLS alert; the code is QUIC's (0x100 plus the alert).
        case tls
        /// The peer speaks no version of QUIC that we do.
        case versionMismatch
        /// The peer is too busy to take the connection.
        case refused
        /// The endpoint was shut down around the connection, or its network thread failed; then the reason says so.
        case aborted

        /// Whether the peer must have said something for it to come to this.
        var isAnswer: Bool {
            switch self {
            case .peer, .peerTransport, .localTransport, .statelessReset, .noCommonProtocol, .certificate, .tls,
                .versionMismatch, .refused:
                true
            case .local, .idleTimeout, .handshakeTimeout, .aborted:
                false
            }
        }
    }

    /// Who or what ended it.
    public var kind: Kind

    /// The code, in the sense that the kind gives it.
    public var code: UInt64

    /// The words that came with it. From a peer they can be anything.
    public var reason: String

    /// Whether the connection had been established.
    public var wasEstablished: Bool

    /// Describes an end.
    public init(kind: Kind, code: UInt64 = 0, reason: String = "", wasEstablished: Bool = true) {
        self.kind = kind
        self.code = code
        self.reason = reason
        self.wasEstablished = wasEstablished
    }

    /// One line for logs.
    public var description: String {
        let what =
            switch self.kind {
            case .local: "closed here"
            case .peer: "closed by the peer"
            case .peerTransport: "closed by the peer's transport"
            case .localTransport: "closed by the transport"
            case .idleTimeout: "idle for too long"
            case .handshakeTimeout: "handshake timed out"
            case .statelessReset: "reset by the peer"
            case .noCommonProtocol: "no application protocol in common"
            case .certificate: "certificate not accepted"
            case .tls: "TLS failed"
            case .versionMismatch: "no version of QUIC in common"
            case .refused: "refused by the peer"
            case .aborted: "endpoint shut down"
            }
        let words = self.reason.isEmpty ? "" : " \"\(self.reason)\""
        return "\(what), code 0x\(String(self.code, radix: 16))\(words)"
    }
}
