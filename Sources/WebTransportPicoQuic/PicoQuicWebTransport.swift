// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import PacketLoop
public import PicoQuic
public import WebTransport

/// A session on raw QUIC: the connection's streams and datagrams are the session's. (loop)
///
/// Made for a connection whose handshake got far enough to name its application protocol, on the connection's loop, and made
/// its delegate: a server's acceptor returns it, a client's `connect` is given it. The connection holds it until its end.
/// The endpoint has to be configured with `QUICConfiguration.adopt(_:)` for the same bounds.
///
///     QUICConnection ──events──► PicoQuicWebTransport ──► WebTransportStreamManager ──► handler, readers, delegates
///           ▲                                                       │
///           └────────────── PicoQuicStreamBackend ◄─────────────────┘
public final class PicoQuicWebTransport: WebTransportSession {
    /// Which side this is.
    public let role: WebTransportRole
    /// The ALPN that the handshake agreed on.
    public let negotiatedProtocol: String?
    /// The address of this side on the path in use; after the end the last one.
    public var localAddress: String { self.backend.addresses.local }
    /// The address of the peer on the path in use, which changes when the peer moves; after the end the last one.
    public var peerAddress: String { self.backend.addresses.peer }

    /// False on a server until the handshake is complete: before that only 0-RTT data arrives. What a server sends is never
    /// 0-RTT data.
    public internal(set) var isConfirmed: Bool

    let backend: PicoQuicStreamBackend
    let manager: WebTransportStreamManager

    /// Makes the session of a connection.
    public init(
        connection: QUICConnection,
        loop: PacketLoop,
        configuration: WebTransportConfiguration = WebTransportConfiguration()
    ) {
        self.role = connection.role == .client ? .client : .server
        self.negotiatedProtocol = connection.applicationProtocol
        self.backend = PicoQuicStreamBackend(connection: connection, loop: loop)
        self.manager = WebTransportStreamManager(role: self.role, configuration: configuration, backend: self.backend)
        self.isConfirmed = self.role == .client || connection.isHandshakeComplete
        self.manager.session = self
        connection.setDatagramPriority(StreamPriority.datagram.rawValue)
    }

    deinit {
        self.manager.session = nil
    }

    /// Who is told of streams, datagrams and the end.
    public var handler: (any WebTransportHandler)? {
        get { self.manager.handler }
        set { self.manager.handler = newValue }
    }

    /// The size of the largest datagram that the peer takes, the path carries and the queue can hold now.
    public var maximumDatagramSize: Int { self.manager.maximumDatagramSize }

    /// Opens a stream that only this side sends on.
    public func openUnidirectionalStream(priority: StreamPriority) throws(WebTransportError) -> SendStream {
        try self.manager.openUnidirectionalStream(priority: priority)
    }

    /// Opens a stream that both sides send on.
    public func openBidirectionalStream(priority: StreamPriority) throws(WebTransportError) -> BidirectionalStream {
        try self.manager.openBidirectionalStream(priority: priority)
    }

    /// How many more streams of a kind can be opened that need not wait for the peer.
    public func streamCredit(unidirectional: Bool) -> Int {
        self.manager.streamCredit(unidirectional: unidirectional)
    }

    /// Waits until a stream of a kind can be opened.
    public func waitForStreamCredit(unidirectional: Bool) async throws(WebTransportError) {
        try await self.manager.waitForStreamCredit(unidirectional: unidirectional)
    }

    /// Opens no more streams from this side; QUIC has no signal for it, so the peer is not told.
    public func drain() {
        self.manager.drain()
    }

    /// Waits until no stream lives any more.
    public func waitUntilDrained() async throws(WebTransportError) {
        try await self.manager.waitUntilDrained()
    }

    /// Queues a datagram.
    public func sendDatagram(_ bytes: Bytes, lifetime: Duration?, order: DatagramOrder) throws(WebTransportError) {
        try self.manager.sendDatagram(bytes, lifetime: lifetime, order: order)
    }

    /// Queues a datagram of a header and a payload.
    public func sendDatagram(
        header: RawSpan,
        payload: Bytes,
        lifetime: Duration?,
        order: DatagramOrder
    ) throws(WebTransportError) {
        try self.manager.sendDatagram(header: header, payload: payload, lifetime: lifetime, order: order)
    }

    /// Ends the session with an application close of the connection.
    public func close(code: UInt64, reason: String) {
        self.manager.close(code: code, reason: reason)
    }

    /// How many bytes all send streams together have queued.
    public var queuedByteCount: Int { self.manager.queuedByteCount }

    /// What the session did so far, with what the library knows of the path.
    public var statistics: WebTransportStatistics {
        var statistics = self.manager.statistics
        statistics.path = self.backend.pathStatistics
        return statistics
    }
}
