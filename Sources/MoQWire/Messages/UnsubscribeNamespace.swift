// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// UNSUBSCRIBE_NAMESPACE (draft-14 §9.31): ends a subscription to namespaces. Draft 14; later its stream is closed.
public struct UnsubscribeNamespace: Hashable, Sendable {
    /// The prefix that was subscribed to.
    public var prefix: TrackNamespace

    /// Makes the message of its fields.
    public init(prefix: TrackNamespace) {
        self.prefix = prefix
    }
}
