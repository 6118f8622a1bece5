// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// NAMESPACE_DONE (draft-18 §10.17): a namespace that was announced by NAMESPACE is gone. Draft 16 and later.
public struct NamespaceDone: Hashable, Sendable {
    /// The fields after the prefix that was subscribed to.
    public var suffix: TrackNamespace

    /// Makes the message of its fields.
    public init(suffix: TrackNamespace) {
        self.suffix = suffix
    }
}
