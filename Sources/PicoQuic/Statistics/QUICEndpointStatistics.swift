// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import PacketLoop

/// What an endpoint has done so far and what it holds now, over all its connections.
///
/// Created minus ended is what lives.
public struct QUICEndpointStatistics: Sendable, Hashable {
    /// Connections that were made, to us and by us, including those whose handshake failed.
    public var connectionsCreated: UInt64 = 0
    /// Connections that the library is done with.
    public var connectionsEnded: UInt64 = 0
    /// Connections that there are now; some may be closing.
    public var connectionsLive = 0
    /// The sum over all connections. Those that have ended count with their totals only.
    public var traffic = QUICStatistics()
    /// The loop of the endpoint.
    public var loop = PacketLoopCounters()

    /// All zero.
    public init() {}

    /// Adds those of another endpoint.
    public mutating func add(_ other: QUICEndpointStatistics) {
        self.connectionsCreated &+= other.connectionsCreated
        self.connectionsEnded &+= other.connectionsEnded
        self.connectionsLive += other.connectionsLive
        self.traffic.add(other.traffic)
        self.loop.add(other.loop)
    }
}
