// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What the transport knows of the path to the peer.
public struct WebTransportPathStatistics: Hashable, Sendable {
    /// The smoothed round-trip time.
    public var smoothedRoundTrip: Duration = .zero
    /// The least round-trip time seen.
    public var minimumRoundTrip: Duration = .zero
    /// How many bytes congestion control allows in flight.
    public var congestionWindow: UInt64 = 0
    /// Bytes in flight.
    public var bytesInFlight: UInt64 = 0
    /// Bytes sent, all packets counted.
    public var bytesSent: UInt64 = 0
    /// Bytes received, all packets counted.
    public var bytesReceived: UInt64 = 0
    /// Packets sent.
    public var packetsSent: UInt64 = 0
    /// Packets lost.
    public var packetsLost: UInt64 = 0

    /// All zero.
    public init() {}
}
