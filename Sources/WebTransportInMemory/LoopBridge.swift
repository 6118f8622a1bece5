// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import PacketLoop
public import WebTransport

/// Joins two sessions on two loops of one process: what is written on one loop is read on the other.
///
/// Everything that happens in one phase of a loop (a batch of packets, or of work from elsewhere) crosses in one piece, when
/// the phase ends: one lock and at most one wake-up for all of it. What was written crosses by reference, and is shared by
/// both loops from then on. Nothing is lost, late or out of order. Windows and stream limits hold as on every connection, and
/// what is under way has a bound of its own, so that a loop that is busy with something else does not fill up with what the
/// other one has for it: that waits in the queues of its streams, where their owners see it.
///
/// ```
///     loop A                                               loop B
///     manager ──ready──► end ──when the phase ends: batch──► end ──► manager
///     manager ◄───────── end ◄──batch: windows, limits ───── end
/// ```
///
/// Made in two steps, because what belongs to a loop is made there:
///
/// ```swift
/// let bridge = LoopBridge(configuration: configuration)
/// let left = try await loopA.run { LoopBound(bridge.makeEnd(.client, on: loopA), on: loopA) }
/// let right = try await loopB.run { LoopBound(bridge.makeEnd(.server, on: loopB), on: loopB) }
/// let (leftAddress, rightAddress) = …     // each end's `address`, which may go anywhere
/// loopA.post { left.value.connect(to: rightAddress) }
/// loopB.post { right.value.connect(to: leftAddress) }
/// ```
public struct LoopBridge: Sendable {
    /// What the sessions at both ends are like.
    public struct Configuration: Sendable {
        /// The bounds of the client's session. What it may receive is what the server may send.
        public var client = WebTransportConfiguration()
        /// The bounds of the server's session.
        public var server = WebTransportConfiguration()
        /// The application protocol that both sides find agreed on.
        public var negotiatedProtocol: String? = "moqt-18"
        /// The size of the largest datagram; 0 for a bridge without datagrams.
        public var maximumDatagramSize = 65_535
        /// How many bytes of streams, with a share for the bookkeeping of each piece, may have been handed over that the
        /// other loop has not come to. What it has come to is reported a quarter of that at a time.
        public var maximumBytesUnderWay = 32 << 20

        /// The defaults.
        public init() {}
    }

    /// Where one end is, for the other one. It does not keep the end.
    public struct Address: Sendable {
        let end: LoopBound<WeakEnd>
    }

    /// A reference that keeps nothing.
    struct WeakEnd {
        weak var end: LoopBridgeEnd?
    }

    /// One end of a bridge, with its session. (loop)
    public struct End {
        /// The session at this end. Who keeps it keeps the end; when nobody does, the other session ends.
        public let session: InMemoryWebTransport
        /// Where this end is.
        public let address: Address
        private let end: LoopBridgeEnd

        init(session: InMemoryWebTransport, end: LoopBridgeEnd) {
            self.session = session
            self.end = end
            self.address = Address(end: LoopBound(WeakEnd(end: end), on: end.loop))
        }

        /// Opens the way to the other end. Until then what is written waits. Called once, on this end's loop.
        public func connect(to other: Address) {
            self.end.connect(to: other)
        }
    }

    /// What the sessions are like.
    public let configuration: Configuration

    /// Describes a bridge. Nothing is made yet.
    public init(configuration: Configuration = Configuration()) {
        self.configuration = configuration
    }

    /// Makes one end. Each role is for one of them. Called on `loop`.
    public func makeEnd(_ role: WebTransportRole, on loop: PacketLoop) -> End {
        let end = LoopBridgeEnd(role: role, loop: loop, configuration: self.configuration)
        let session = InMemoryWebTransport(
            role: role,
            configuration: role == .client ? self.configuration.client : self.configuration.server,
            negotiatedProtocol: self.configuration.negotiatedProtocol,
            backend: end
        )
        return End(session: session, end: end)
    }
}
