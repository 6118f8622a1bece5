// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQ
public import PicoQuic

/// What a server or a client has done so far and what it holds now, at every level, seen in one moment.
public struct MoQEndpointStatistics: Hashable, Sendable {
    /// Connections, packets, and the loop.
    public var quic = QUICEndpointStatistics()
    /// Sessions that were made.
    public var sessionsCreated: UInt64 = 0
    /// Sessions that have closed.
    public var sessionsEnded: UInt64 = 0
    /// Sessions that are open.
    public var sessionsLive = 0
    /// The sum over all sessions. Those that have closed count with their totals only.
    public var sessions = MoQSessionStatistics()

    /// All zero.
    public init() {}

    /// Adds those of another loop.
    mutating func add(_ other: MoQEndpointStatistics) {
        self.quic.add(other.quic)
        self.sessionsCreated &+= other.sessionsCreated
        self.sessionsEnded &+= other.sessionsEnded
        self.sessionsLive += other.sessionsLive
        self.sessions.add(other.sessions)
    }
}
