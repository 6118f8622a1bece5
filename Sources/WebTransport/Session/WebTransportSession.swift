// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Which side of a session this is.
public enum WebTransportRole: Hashable, Sendable {
    /// The side that connected.
    case client
    /// The side that was connected to.
    case server
}

/// The two directions of a bidirectional stream.
public struct BidirectionalStream {
    /// What this side sends.
    public let send: SendStream
    /// What the peer sends.
    public let receive: ReceiveStream

    /// Pairs the directions of one stream.
    public init(send: SendStream, receive: ReceiveStream) {
        self.send = send
        self.receive = receive
    }
}

/// A connection that carries streams and datagrams, whatever is below it.
///
/// Confined to its loop: every call is made on the loop and every callback comes on it, synchronously. The session owns
/// its streams until both their directions are done; references to them may be dropped at any time.
public protocol WebTransportSession: AnyObject {
    /// Which side this is.
    var role: WebTransportRole { get }

    /// The application protocol both sides agreed on (the ALPN on raw QUIC).
    var negotiatedProtocol: String? { get }

    /// Whether both sides know the URI of the session from the transport, as from the request of WebTransport over HTTP/3. Then
    /// nothing above it says path and authority again.
    var carriesURI: Bool { get }

    /// The address of this side, as text: the one in use, after the end the last one.
    var localAddress: String { get }

    /// The address of the peer, as text: the one in use, after the end the last one.
    var peerAddress: String { get }

    /// Whether the peer is known to take part in the session now. While it is not, what arrives may be a copy that somebody
    /// sends once more (0-RTT): nothing may be done because of it that must not happen twice. The handler is told when this
    /// becomes true.
    var isConfirmed: Bool { get }

    /// Who is told of streams, datagrams and the end. Set it once.
    ///
    /// Events from before are kept, within the windows and queue bounds, and delivered while the property is being set.
    /// The session lets go of its handler at its end. When it is set back to nil, incoming streams are refused.
    var handler: (any WebTransportHandler)? { get set }

    /// The size of the largest datagram that can be sent now; 0 when the peer takes none.
    var maximumDatagramSize: Int { get }

    /// Opens a stream that only this side sends on. Nothing is sent before something is written.
    ///
    /// When the peer's stream limit is reached the stream waits with what is written to it.
    /// - Throws: `sessionClosed`, `sessionDraining`; `streamLimit` when too many streams are open or wait.
    func openUnidirectionalStream(priority: StreamPriority) throws(WebTransportError) -> SendStream

    /// Opens a stream that both sides send on, with the same rules.
    ///
    /// - Throws: `sessionClosed`, `sessionDraining`; `streamLimit` when too many streams are open or wait.
    func openBidirectionalStream(priority: StreamPriority) throws(WebTransportError) -> BidirectionalStream

    /// How many more streams of a kind can be opened that need not wait for the peer; 0 when the session is draining or
    /// over.
    func streamCredit(unidirectional: Bool) -> Int

    /// Waits until `streamCredit` is not 0. Those who wait go on in the order they came, each when the one before it has
    /// opened its stream.
    ///
    /// Comes back where it was called, without suspending when there is credit. On a transport that is blocked by the
    /// peer's session window the wait may last until that opens.
    /// - Throws: `sessionClosed`, `sessionDraining`, `cancelled`.
    func waitForStreamCredit(unidirectional: Bool) async throws(WebTransportError)

    /// Opens no more streams from this side: opening throws `sessionDraining`. The streams that are open go on and finish,
    /// the peer's as well, and datagrams still go both ways. A second call does nothing.
    ///
    /// The peer's handler is told where the transport has a signal for it (see
    /// `WebTransportHandler.transportPeerIsDraining`). The session stays until somebody closes it: when `waitUntilDrained`
    /// returns, nothing is lost by that.
    func drain()

    /// Waits until no stream lives any more, of either side, after `drain()`.
    ///
    /// - Throws: `invalidState` without `drain()`, `sessionClosed` when the session ended with streams alive, `cancelled`.
    func waitUntilDrained() async throws(WebTransportError)

    /// Queues a datagram; it is sent whole or not at all.
    ///
    /// Those that wait for room go in their `order`, all of them before streams of a priority behind
    /// ``StreamPriority/datagram``. The queue is bounded in count, bytes and age; when it is full the oldest datagram of the last
    /// rank is dropped and counted, since late media is worth less than fresh media. A datagram that has waited for longer than `lifetime` is dropped when its
    /// turn comes, as one that exceeds the age of the configuration.
    /// - Throws: `datagramTooLarge` with the limit, `datagramsUnsupported`, `sessionClosed`; `invalidState` when it is empty.
    func sendDatagram(_ bytes: Bytes, lifetime: Duration?, order: DatagramOrder) throws(WebTransportError)

    /// Queues a datagram that begins with a header, which is copied, and goes on with a payload, which is kept by reference: so
    /// one payload can wait for many receivers.
    ///
    /// - Throws: as the other one.
    func sendDatagram(
        header: RawSpan,
        payload: Bytes,
        lifetime: Duration?,
        order: DatagramOrder
    ) throws(WebTransportError)

    /// Ends the session and all its streams, telling the peer `code` and `reason`. What is still queued is not sent.
    ///
    /// Every stream's delegate and reader is told once, then the handler once, before this returns. A second call does
    /// nothing.
    func close(code: UInt64, reason: String)

    /// How many bytes all send streams together have queued.
    var queuedByteCount: Int { get }

    /// What the session did so far and holds now.
    var statistics: WebTransportStatistics { get }
}

extension WebTransportSession {
    /// False: raw QUIC has no place for a URI.
    public var carriesURI: Bool { false }

    /// True: transports without 0-RTT have no other state.
    public var isConfirmed: Bool { true }

    /// Makes both parts one.
    ///
    /// - Throws: as `sendDatagram(_:lifetime:order:)`.
    public func sendDatagram(
        header: RawSpan,
        payload: Bytes,
        lifetime: Duration?,
        order: DatagramOrder
    ) throws(WebTransportError) {
        try self.sendDatagram(Bytes(joining: header, payload.span), lifetime: lifetime, order: order)
    }

    /// Queues a datagram without a lifetime of its own, behind all others that are queued in this way.
    ///
    /// - Throws: as `sendDatagram(_:lifetime:order:)`.
    public func sendDatagram(_ bytes: Bytes) throws(WebTransportError) {
        try self.sendDatagram(bytes, lifetime: nil, order: DatagramOrder())
    }

    /// Opens a stream that only this side sends on as soon as the peer allows one more.
    ///
    /// - Throws: as `waitForStreamCredit`.
    public func openUnidirectionalStreamWhenAllowed(
        priority: StreamPriority
    ) async throws(WebTransportError) -> SendStream {
        try await self.waitForStreamCredit(unidirectional: true)
        return try self.openUnidirectionalStream(priority: priority)
    }

    /// Opens a stream that both sides send on as soon as the peer allows one more.
    ///
    /// - Throws: as `waitForStreamCredit`.
    public func openBidirectionalStreamWhenAllowed(
        priority: StreamPriority
    ) async throws(WebTransportError) -> BidirectionalStream {
        try await self.waitForStreamCredit(unidirectional: false)
        return try self.openBidirectionalStream(priority: priority)
    }
}
