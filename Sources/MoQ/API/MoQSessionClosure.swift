// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// How a session ended.
public struct MoQSessionClosure: Hashable, Sendable {
    /// Who ended it.
    public enum Origin: Hashable, Sendable {
        /// This side, by ``MoQSession/close(_:reason:)`` or because the peer broke a rule.
        case local
        /// The peer.
        case peer
        /// The connection failed; the text names the kind of failure.
        case transport(String)
    }

    /// Who ended it.
    public var origin: Origin
    /// The code that was sent or received; for a failed connection the transport's own.
    public var code: SessionErrorCode
    /// A text for people.
    public var reason: String

    /// Makes a closure of its parts.
    public init(origin: Origin, code: SessionErrorCode, reason: String) {
        self.origin = origin
        self.code = code
        self.reason = reason
    }

    /// Whether the session ended as planned: closed by either side without an error.
    public var isClean: Bool {
        if case .transport = self.origin {
            return false
        }
        return self.code == .noError
    }
}

extension MoQSessionClosure: CustomStringConvertible {
    /// Origin, code and reason in one line.
    public var description: String {
        let origin =
            switch self.origin {
            case .local: "local"
            case .peer: "peer"
            case .transport(let kind): "transport (\(kind))"
            }
        return self.reason.isEmpty ? "\(origin), \(self.code)" : "\(origin), \(self.code): \(self.reason)"
    }
}
