// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// PUBLISH_BLOCKED (draft-18 §10.20): a track matches a SUBSCRIBE_TRACKS but cannot be offered. Draft 18 and later.
public struct PublishBlocked: Hashable, Sendable {
    /// The fields of the namespace after the prefix that was subscribed to.
    public var suffix: TrackNamespace
    /// The name of the track.
    public var name: [UInt8]

    /// Makes the message of its fields.
    public init(suffix: TrackNamespace, name: [UInt8]) {
        self.suffix = suffix
        self.name = name
    }
}
