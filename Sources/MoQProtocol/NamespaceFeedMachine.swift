// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// One SUBSCRIBE_NAMESPACE, seen from the side that answers and reports namespaces (draft-18 §10.18).
///
/// ```
///   pending ── accept() ──► established { reported } ── ended() ──► ended
///      └── reject() ──────────────────────────────────────────────► ended
/// ```
///
/// It keeps NAMESPACE and NAMESPACE_DONE in their order: no namespace is reported twice, none is withdrawn that was not
/// reported.
public struct NamespaceFeedMachine: ~Copyable {
    /// Where the subscription is.
    public enum State: Hashable, Sendable {
        /// Not answered.
        case pending
        /// Namespaces may be reported.
        case established
        /// Over.
        case ended
    }

    /// Where the subscription is.
    public private(set) var state: State = .pending

    /// What the reported namespaces begin with.
    public private(set) var prefix: TrackNamespace

    private let reportsNamespaces: Bool
    private var reported: Set<TrackNamespace> = []

    /// Makes a machine for a request with this prefix. `reportsNamespaces` is false when the peer wants PUBLISH only
    /// (draft-16 §9.25, "Subscribe Options").
    public init(prefix: TrackNamespace, reportsNamespaces: Bool) {
        self.prefix = prefix
        self.reportsNamespaces = reportsNamespaces
    }

    /// We accept the request. Returns whether an answer is still due.
    public mutating func accept() -> Bool {
        guard self.state == .pending else {
            return false
        }
        self.state = .established
        return true
    }

    /// We refuse the request. Returns whether an answer is still due.
    public mutating func reject() -> Bool {
        guard self.state == .pending else {
            return false
        }
        self.state = .ended
        return true
    }

    /// A namespace exists. Returns the suffix to send in NAMESPACE, or nil when there is nothing to send.
    public mutating func publish(_ namespace: TrackNamespace) -> TrackNamespace? {
        guard self.state == .established, self.reportsNamespaces else {
            return nil
        }
        guard let suffix = namespace.suffix(after: self.prefix), self.reported.insert(suffix).inserted else {
            return nil
        }
        return suffix
    }

    /// A namespace is gone. Returns the suffix to send in NAMESPACE_DONE, or nil when it had not been reported.
    public mutating func withdraw(_ namespace: TrackNamespace) -> TrackNamespace? {
        guard self.state == .established, let suffix = namespace.suffix(after: self.prefix) else {
            return nil
        }
        return self.reported.remove(suffix)
    }

    /// The peer follows another prefix from now on (draft-18 §10.9.2, "Updating Namespace Subscriptions"). What was reported
    /// and begins with both stays reported; the rest is no concern of the peer any more, so that nothing is said about it.
    public mutating func move(to prefix: TrackNamespace) {
        let old = self.prefix
        self.prefix = prefix
        self.reported = Set(self.reported.compactMap { old.appending($0).suffix(after: prefix) })
    }

    /// The suffix that stands for a namespace in messages about its tracks, or nil when nothing can be said about it.
    public func suffix(of namespace: TrackNamespace) -> TrackNamespace? {
        self.state == .established ? namespace.suffix(after: self.prefix) : nil
    }

    /// Either side ends the subscription, or the session closes. Returns in which state that was.
    public mutating func ended() -> State {
        let state = self.state
        self.state = .ended
        self.reported = []
        return state
    }
}
