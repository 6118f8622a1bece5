// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What a connection knows of its path and of what went over it.
public struct QUICStatistics: Sendable, Hashable {
    /// The smoothed round-trip time.
    public var smoothedRoundTrip: Duration = .zero
    /// The least round-trip time seen.
    public var minimumRoundTrip: Duration = .zero
    /// How much the round-trip time varies.
    public var roundTripVariation: Duration = .zero
    /// How many bytes congestion control allows in flight.
    public var congestionWindow: UInt64 = 0
    /// How many bytes are in flight.
    public var bytesInFlight: UInt64 = 0
    /// How fast packets are released, in bytes per second.
    public var pacingRate: UInt64 = 0
    /// How fast the peer receives, in bytes per second, as far as can be told.
    public var receiveRate: UInt64 = 0
    /// Packets sent.
    public var packetsSent: UInt64 = 0
    /// Packets lost.
    public var packetsLost: UInt64 = 0
    /// Packets taken for lost that were not.
    public var spuriousLosses: UInt64 = 0
    /// Bytes sent, all packets counted.
    public var bytesSent: UInt64 = 0
    /// Bytes received, all packets counted.
    public var bytesReceived: UInt64 = 0

    /// All zero.
    public init() {}
}
