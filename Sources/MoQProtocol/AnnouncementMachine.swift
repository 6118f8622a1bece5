// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// One PUBLISH_NAMESPACE, seen from either side (draft-18 §10.15).
///
/// ```
///   pending ── accepted() ──► established ── withdrawn(), revoked() ──► ended
///      └── rejected(), withdrawn() ───────────────────────────────────► ended
/// ```
public struct AnnouncementMachine: ~Copyable {
    /// Where the announcement is.
    public enum State: Hashable, Sendable {
        /// Not answered.
        case pending
        /// Accepted.
        case established
        /// Over.
        case ended
    }

    /// Where the announcement is.
    public private(set) var state: State = .pending

    /// Makes a machine for an announcement that was just made.
    public init() {}

    /// REQUEST_OK was received.
    ///
    /// - Throws: PROTOCOL_VIOLATION when the announcement was answered before.
    public mutating func receivedOk() throws(ProtocolViolation) {
        guard self.state == .pending else {
            throw .protocolViolation("second answer to a PUBLISH_NAMESPACE")
        }
        self.state = .established
    }

    /// REQUEST_ERROR was received.
    ///
    /// - Throws: PROTOCOL_VIOLATION when the announcement was answered before.
    public mutating func receivedError() throws(ProtocolViolation) {
        guard self.state == .pending else {
            throw .protocolViolation("second answer to a PUBLISH_NAMESPACE")
        }
        self.state = .ended
    }

    /// We answer. Returns whether an answer is still due.
    public mutating func answer(accepting: Bool) -> Bool {
        guard self.state == .pending else {
            return false
        }
        self.state = accepting ? .established : .ended
        return true
    }

    /// Either side ends the announcement, or the session closes. Returns in which state that was.
    public mutating func ended() -> State {
        let state = self.state
        self.state = .ended
        return state
    }
}
