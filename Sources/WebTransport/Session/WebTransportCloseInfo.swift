// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// How a session ended: by whom, with which code and which words.
public struct WebTransportCloseInfo: Hashable, Sendable {
    /// What the transport itself can end a session for.
    public enum TransportCause: String, Hashable, Sendable {
        /// Nothing was heard for too long.
        case idleTimeout
        /// The handshake did not finish in time.
        case handshakeTimeout
        /// The peer does not know the connection any more.
        case statelessReset
        /// The two sides have no application protocol in common.
        case noCommonProtocol
        /// The peer's certificate was not accepted, or it did not accept ours.
        case certificate
        /// Another TLS alert; the code is QUIC's (0x100 plus the alert).
        case tls
        /// The two sides have no version of QUIC in common.
        case versionMismatch
        /// The peer is too busy, or has too many connections, to take this one.
        case refused
        /// The peer's transport ended it; the code is the transport's.
        case peerTransport
        /// This side's transport ended it, because the peer broke the rules; the code is the transport's.
        case localTransport
        /// This side's endpoint was shut down around it.
        case aborted
        /// The peer's host or port cannot be reached.
        case unreachable
        /// Something else; the code and the reason say what.
        case other
    }

    /// Who ended the session.
    public enum Origin: Hashable, Sendable {
        /// This side did.
        case local
        /// The peer did, on purpose.
        case peer
        /// The transport did.
        case transport(TransportCause)
    }

    /// Who ended the session.
    public var origin: Origin
    /// The application's code for `local` and `peer`, the transport's own otherwise.
    public var code: UInt64
    /// The reason given with it; from a peer, so possibly anything.
    public var reason: String

    /// Describes an end.
    public init(origin: Origin, code: UInt64 = 0, reason: String = "") {
        self.origin = origin
        self.code = code
        self.reason = reason
    }
}

extension WebTransportCloseInfo: CustomStringConvertible {
    /// One line for logs.
    public var description: String {
        let who =
            switch self.origin {
            case .local: "closed"
            case .peer: "closed by the peer"
            case .transport(let cause): "ended by the transport: \(cause.rawValue)"
            }
        let words = self.reason.isEmpty ? "" : " \"\(self.reason)\""
        return "\(who), code \(self.code)\(words)"
    }
}
