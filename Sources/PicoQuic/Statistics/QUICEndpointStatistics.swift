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
    /// Messages of one or more datagrams that the system refused to send; what was in them is repeated as if it were lost.
    /// Not counted by ``PacketLoopKind/picoquic``.
    public var messagesRefused: UInt64 = 0
    /// Messages that arrived but were not looked at: larger than any QUIC packet, or without a sender. Not counted by
    /// ``PacketLoopKind/picoquic``.
    public var messagesDropped: UInt64 = 0
    /// Messages that the system dropped because a socket's buffer was full (`SO_RXQ_OVFL`), as far as it has said so.
    /// What was in them is lost, as in the network. Not counted by ``PacketLoopKind/picoquic``.
    public var messagesOverflowed: UInt64 = 0
    /// Datagrams that were no connection's: garbage, packets for connections that are gone, and the first packets of
    /// clients that are refused or asked to prove their address. Not counted by ``PacketLoopKind/picoquic``.
    public var packetsUnclaimed: UInt64 = 0
    /// How often something was sent outside of connections, in answer to such a datagram: version negotiation, Retry, a
    /// stateless reset or a refusal. Not counted by ``PacketLoopKind/picoquic``.
    public var packetsAnswered: UInt64 = 0
    /// Packets that reached this loop of a server and were handed over to the loop that has their connection. Zero for an
    /// endpoint that has its port to itself, and next to nothing where the kernel knows the way.
    public var packetsForwarded: UInt64 = 0
    /// Packets that should have been, and were dropped because too many waited there, or the other loop had ended. QUIC
    /// repeats what was in them.
    public var packetsNotForwarded: UInt64 = 0
    /// How often the loop slept, for there was nothing to do. Not counted by ``PacketLoopKind/picoquic``.
    public var sleeps: UInt64 = 0
    /// How often it looked for packets instead of sleeping (``QUICConfiguration/busyPoll``).
    public var polls: UInt64 = 0
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
        self.messagesRefused &+= other.messagesRefused
        self.messagesDropped &+= other.messagesDropped
        self.messagesOverflowed &+= other.messagesOverflowed
        self.packetsUnclaimed &+= other.packetsUnclaimed
        self.packetsAnswered &+= other.packetsAnswered
        self.packetsForwarded &+= other.packetsForwarded
        self.packetsNotForwarded &+= other.packetsNotForwarded
        self.sleeps &+= other.sleeps
        self.polls &+= other.polls
        self.loop.add(other.loop)
    }
}
