// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
public import WebTransport

/// What is below a session within the process.
protocol InMemoryBackend: WebTransportStreamBackend {
    /// The session's streams. The backend does not keep them.
    var manager: WebTransportStreamManager? { get set }

    /// What was sent and received.
    var pathStatistics: WebTransportPathStatistics { get }
}

/// One end of an `InMemoryLink` or of a `LoopBridge`. (loop)
public final class InMemoryWebTransport: WebTransportSession {
    /// The application protocol that the configuration names.
    public let negotiatedProtocol: String?
    /// What the configuration says.
    public let carriesURI: Bool
    private let backend: any InMemoryBackend
    private let manager: WebTransportStreamManager

    init(
        role: WebTransportRole,
        configuration: WebTransportConfiguration,
        negotiatedProtocol: String?,
        carriesURI: Bool = false,
        backend: any InMemoryBackend
    ) {
        self.negotiatedProtocol = negotiatedProtocol
        self.carriesURI = carriesURI
        self.backend = backend
        self.manager = WebTransportStreamManager(role: role, configuration: configuration, backend: backend)
        self.backend.manager = self.manager
        self.manager.session = self
    }

    deinit {
        self.manager.session = nil
    }

    /// Which side this is.
    public var role: WebTransportRole { self.manager.role }

    /// A name for this end.
    public var localAddress: String { self.role == .client ? "in-memory client" : "in-memory server" }

    /// A name for the other end.
    public var peerAddress: String { self.role == .client ? "in-memory server" : "in-memory client" }

    /// Who is told of streams, datagrams and the end.
    public var handler: (any WebTransportHandler)? {
        get { self.manager.handler }
        set { self.manager.handler = newValue }
    }

    /// The size of the largest datagram, as the configuration says.
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

    /// Opens no more streams from this side, and tells the peer.
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

    /// Ends the session, telling the peer.
    public func close(code: UInt64, reason: String) {
        self.manager.close(code: code, reason: reason)
    }

    /// How many bytes all send streams together have queued.
    public var queuedByteCount: Int { self.manager.queuedByteCount }

    /// What the session did so far, with what became of its packets or batches.
    public var statistics: WebTransportStatistics {
        var statistics = self.manager.statistics
        statistics.path = self.backend.pathStatistics
        return statistics
    }
}
