// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// The bounds of one session: queues, windows and streams.
public struct WebTransportConfiguration: Hashable, Sendable {
    /// A stream with at least this many bytes queued says that it is above its high watermark.
    public var streamHighWatermark = 1 << 20
    /// A stream that was above tells its delegate when no more than this is left.
    public var streamLowWatermark = 512 << 10
    /// The most bytes one stream may have queued; a write beyond it throws `queueFull`.
    public var streamQueueLimit = 64 << 20
    /// With at least this many bytes queued over all its streams the session is above its high watermark.
    public var sessionHighWatermark = 4 << 20
    /// Streams that wrote while the session was above are told when no more than this is left.
    public var sessionLowWatermark = 2 << 20
    /// The most bytes a session may have queued; a write beyond it throws `queueFull`.
    public var sessionQueueLimit = 256 << 20

    /// How far ahead of what was consumed the peer may send on one stream. A reader that asks for more bytes at once than
    /// this never gets them.
    public var streamReceiveWindow = 1 << 20
    /// How far ahead of what was consumed the peer may send over all streams.
    public var sessionReceiveWindow = 8 << 20

    /// How many datagrams may wait to be sent; beyond it the oldest of the last rank is dropped.
    public var datagramQueueCount = 512
    /// How many bytes of datagrams may wait to be sent; beyond it the oldest of the last rank is dropped.
    public var datagramQueueBytes = 1 << 20
    /// How long a datagram may wait; it is dropped when its turn comes later.
    public var datagramMaximumAge = Duration.seconds(1)

    /// How many unidirectional streams of the peer may be open at a time.
    public var maximumIncomingUnidirectionalStreams = 4_096
    /// How many bidirectional streams of the peer may be open at a time.
    public var maximumIncomingBidirectionalStreams = 1_024
    /// How many streams this side may have open at a time, counting those that wait for the peer's permission.
    public var maximumOutgoingStreams = 16_384

    /// The defaults.
    public init() {}
}
