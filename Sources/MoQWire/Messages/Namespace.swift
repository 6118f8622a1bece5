// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// NAMESPACE (draft-18 §10.16): a namespace that matches a SUBSCRIBE_NAMESPACE exists. Draft 16 and later.
public struct Namespace: Hashable, Sendable {
    /// The fields after the prefix that was subscribed to.
    public var suffix: TrackNamespace

    /// Makes the message of its fields.
    public init(suffix: TrackNamespace) {
        self.suffix = suffix
    }
}
