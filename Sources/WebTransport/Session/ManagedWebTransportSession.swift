// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What all sessions have in common that leave their streams to a `WebTransportStreamManager`: a transport's own session is a
/// subclass, which reports what happens below to the manager and says what it knows of the connection. (loop)
///
/// The session owns its manager, which names the session to handlers for as long as it lives.
open class ManagedWebTransportSession: WebTransportSession {
    /// The session's streams, queues and windows, for the transport to report to.
    package let manager: WebTransportStreamManager

    /// Makes the session of a manager that has none yet.
    ///
    /// - Precondition: the manager is no other session's.
    public init(manager: WebTransportStreamManager) {
        precondition(manager.session == nil, "a manager has one session")
        self.manager = manager
        manager.session = self
    }

    deinit {
        self.manager.session = nil
    }

    // MARK: What a transport knows

    /// Nil, unless a transport knows one.
    open var negotiatedProtocol: String? { nil }

    /// False, unless a transport carries the URI.
    open var carriesURI: Bool { false }

    /// Empty, unless a transport knows it.
    open var localAddress: String { "" }

    /// Empty, unless a transport knows it.
    open var peerAddress: String { "" }

    /// True, unless a transport has a state before that.
    open var isConfirmed: Bool { true }

    /// What a transport knows of the path; nothing, unless it does.
    open var pathStatistics: WebTransportPathStatistics { WebTransportPathStatistics() }

    // MARK: What the manager does

    /// Which side this is.
    public final var role: WebTransportRole { self.manager.role }

    /// Who is told of streams, datagrams and the end.
    public final var handler: (any WebTransportHandler)? {
        get { self.manager.handler }
        set { self.manager.handler = newValue }
    }

    /// The size of the largest datagram that the peer takes, the path carries and the queue can hold now.
    public final var maximumDatagramSize: Int { self.manager.maximumDatagramSize }

    /// Opens a stream that only this side sends on.
    public final func openUnidirectionalStream(priority: StreamPriority) throws(WebTransportError) -> SendStream {
        try self.manager.openUnidirectionalStream(priority: priority)
    }

    /// Opens a stream that both sides send on.
    public final func openBidirectionalStream(priority: StreamPriority) throws(WebTransportError) -> BidirectionalStream
    {
        try self.manager.openBidirectionalStream(priority: priority)
    }

    /// How many more streams of a kind can be opened that need not wait for the peer.
    public final func streamCredit(unidirectional: Bool) -> Int {
        self.manager.streamCredit(unidirectional: unidirectional)
    }

    /// Waits until a stream of a kind can be opened.
    public final func waitForStreamCredit(unidirectional: Bool) async throws(WebTransportError) {
        try await self.manager.waitForStreamCredit(unidirectional: unidirectional)
    }

    /// Opens no more streams from this side; the peer is told where the transport has a signal for it.
    public final func drain() {
        self.manager.drain()
    }

    /// Waits until no stream lives any more.
    public final func waitUntilDrained() async throws(WebTransportError) {
        try await self.manager.waitUntilDrained()
    }

    /// Queues a datagram.
    public final func sendDatagram(
        _ bytes: Bytes,
        lifetime: Duration?,
        order: DatagramOrder
    ) throws(WebTransportError) {
        try self.manager.sendDatagram(bytes, lifetime: lifetime, order: order)
    }

    /// Queues a datagram of a header and a payload.
    public final func sendDatagram(
        header: RawSpan,
        payload: Bytes,
        lifetime: Duration?,
        order: DatagramOrder
    ) throws(WebTransportError) {
        try self.manager.sendDatagram(header: header, payload: payload, lifetime: lifetime, order: order)
    }

    /// Ends the session, telling the peer.
    public final func close(code: UInt64, reason: String) {
        self.manager.close(code: code, reason: reason)
    }

    /// How many bytes all send streams together have queued.
    public final var queuedByteCount: Int { self.manager.queuedByteCount }

    /// What the session did so far, with what the transport knows of the path.
    public final var statistics: WebTransportStatistics {
        var statistics = self.manager.statistics
        statistics.path = self.pathStatistics
        return statistics
    }
}
