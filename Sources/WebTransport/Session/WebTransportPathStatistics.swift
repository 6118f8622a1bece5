// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What the transport knows of the path to the peer, or the sum of that over several sessions. What a transport cannot
/// tell stays zero.
public struct WebTransportPathStatistics: Hashable, Sendable {
    /// The smoothed round-trip time.
    public var smoothedRoundTrip: Duration = .zero
    /// The least round-trip time seen.
    public var minimumRoundTrip: Duration = .zero
    /// How much the round-trip time varies.
    public var roundTripVariation: Duration = .zero
    /// How many bytes congestion control allows in flight.
    public var congestionWindow: UInt64 = 0
    /// Bytes in flight.
    public var bytesInFlight: UInt64 = 0
    /// How fast packets are released, in bytes per second.
    public var pacingRate: UInt64 = 0
    /// How fast the peer receives, in bytes per second, as far as can be told.
    public var receiveRate: UInt64 = 0
    /// Bytes sent, all packets counted.
    public var bytesSent: UInt64 = 0
    /// Bytes received, all packets counted.
    public var bytesReceived: UInt64 = 0
    /// Packets sent.
    public var packetsSent: UInt64 = 0
    /// Packets received.
    public var packetsReceived: UInt64 = 0
    /// Packets lost.
    public var packetsLost: UInt64 = 0
    /// Packets taken for lost that were not.
    public var spuriousLosses: UInt64 = 0

    /// All zero.
    public init() {}

    /// The amounts and round-trip times alone: what a session that has ended leaves in a sum.
    public var totals: WebTransportPathStatistics {
        var totals = self
        totals.congestionWindow = 0
        totals.bytesInFlight = 0
        totals.pacingRate = 0
        totals.receiveRate = 0
        return totals
    }

    /// Adds the figures of another path. Of the round-trip times the least minimum and otherwise the largest stays.
    public mutating func add(_ other: WebTransportPathStatistics) {
        self.smoothedRoundTrip = max(self.smoothedRoundTrip, other.smoothedRoundTrip)
        self.roundTripVariation = max(self.roundTripVariation, other.roundTripVariation)
        if self.minimumRoundTrip == .zero
            || (other.minimumRoundTrip > .zero && other.minimumRoundTrip < self.minimumRoundTrip)
        {
            self.minimumRoundTrip = other.minimumRoundTrip
        }
        // Wrapping, since the transport's word is all there is for the values.
        self.congestionWindow &+= other.congestionWindow
        self.bytesInFlight &+= other.bytesInFlight
        self.pacingRate &+= other.pacingRate
        self.receiveRate &+= other.receiveRate
        self.bytesSent &+= other.bytesSent
        self.bytesReceived &+= other.bytesReceived
        self.packetsSent &+= other.packetsSent
        self.packetsReceived &+= other.packetsReceived
        self.packetsLost &+= other.packetsLost
        self.spuriousLosses &+= other.spuriousLosses
    }
}
