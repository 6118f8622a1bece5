// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// One SUBSCRIBE_NAMESPACE, seen from the subscriber: which namespaces exist under its prefix (draft-18 §10.18).
///
/// ```
///   pending ── receivedOk() ──► established { namespaces } ── cancel(), peerEnded() ──► ended
///      └── receivedError(), cancel() ──────────────────────────────────────────────────► ended
/// ```
public struct NamespaceSubscriptionMachine: ~Copyable {
    /// Where the subscription is.
    public enum State: Hashable, Sendable {
        /// Not answered.
        case pending
        /// Namespaces come and go.
        case established
        /// Over.
        case ended
    }

    /// Where the subscription is.
    public private(set) var state: State = .pending
    /// The suffixes of the namespaces that exist now.
    public private(set) var suffixes: Set<TrackNamespace> = []

    private let limit: Int

    /// Makes a machine that accepts up to `limit` namespaces at a time.
    public init(limit: Int) {
        self.limit = limit
    }

    /// REQUEST_OK arrived.
    ///
    /// - Throws: PROTOCOL_VIOLATION when the request was answered before.
    public mutating func receivedOk() throws(ProtocolViolation) {
        guard self.state == .pending else {
            throw .protocolViolation("second answer to a SUBSCRIBE_NAMESPACE")
        }
        self.state = .established
    }

    /// REQUEST_ERROR arrived.
    ///
    /// - Throws: PROTOCOL_VIOLATION when the request was answered before.
    public mutating func receivedError() throws(ProtocolViolation) {
        guard self.state == .pending else {
            throw .protocolViolation("second answer to a SUBSCRIBE_NAMESPACE")
        }
        self.state = .ended
    }

    /// NAMESPACE arrived. Returns whether it is news.
    ///
    /// - Throws: PROTOCOL_VIOLATION before the answer, and when there are more namespaces than this side will remember.
    public mutating func receivedNamespace(_ suffix: TrackNamespace) throws(ProtocolViolation) -> Bool {
        switch self.state {
        case .pending:
            throw .protocolViolation("NAMESPACE before the answer to SUBSCRIBE_NAMESPACE")
        case .ended:
            return false
        case .established:
            guard self.suffixes.count < self.limit || self.suffixes.contains(suffix) else {
                throw .protocolViolation("more than \(self.limit) namespaces for one SUBSCRIBE_NAMESPACE")
            }
            return self.suffixes.insert(suffix).inserted
        }
    }

    /// NAMESPACE_DONE arrived.
    ///
    /// - Throws: PROTOCOL_VIOLATION when that namespace was not announced.
    public mutating func receivedNamespaceDone(_ suffix: TrackNamespace) throws(ProtocolViolation) {
        guard self.state != .ended else {
            return
        }
        guard self.suffixes.remove(suffix) != nil else {
            throw .protocolViolation("NAMESPACE_DONE for a namespace that was not announced")
        }
    }

    /// The peer reports what begins with another prefix from now on (draft-18 §10.9.2, "Updating Namespace Subscriptions").
    /// What exists and begins with both is still there. Returns the suffixes, behind the old prefix, of the others, of which
    /// nothing more will be heard.
    public mutating func moved(from old: TrackNamespace, to new: TrackNamespace) -> [TrackNamespace] {
        var kept: Set<TrackNamespace> = []
        var gone: [TrackNamespace] = []
        for suffix in self.suffixes {
            if let other = old.appending(suffix).suffix(after: new) {
                kept.insert(other)
            } else {
                gone.append(suffix)
            }
        }
        self.suffixes = kept
        return gone
    }

    /// Either side ends the subscription, or the session closes. Returns in which state that was.
    public mutating func ended() -> State {
        let state = self.state
        self.state = .ended
        self.suffixes = []
        return state
    }
}
