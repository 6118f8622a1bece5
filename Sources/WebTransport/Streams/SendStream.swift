// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What this side sends on one stream. Confined to the loop.
///
/// Written bytes wait in the stream's own queue until the transport has room for them, in the order of the streams'
/// priorities; nothing is pushed into the transport ahead of time.
///
///     open ──finish()──► finishing ──last byte and FIN handed over──► sent ──acknowledged──► complete
///       │                   │                                          │
///       └──── reset(), STOP_SENDING or the end of the session ─────────┴────────────────────► closed
public final class SendStream {
    /// The number of the stream on the wire.
    public let id: StreamID
    let token: StreamToken

    /// Its session's manager. It is kept to the end of this object, because a reference that never changes need not be counted
    /// when it is used; what it kept in turn it lets go of itself.
    private let owner: WebTransportStreamManager
    private var isAttached = true
    // Without a check of exclusive access, which each packet would pay for several times: the queue calls nobody.
    @safe @exclusivity(unchecked) var queue = EgressQueue()
    /// Whether the transport knows that there is something to send.
    var isActive = false
    var isAboveOwnWatermark = false
    /// Bytes that the transport is about to take while the delegate is being told.
    var pendingTake = 0
    var isFinSent = false
    /// How the stream was closed.
    var end: End?
    /// The tasks that wait to write.
    var writers: WaitList?

    /// The ways in which a stream is closed.
    enum End {
        case delivered
        /// By this side.
        case reset(UInt64)
        /// By the peer; the code is not known when that came before the stream was announced.
        case stopped(UInt64?)
        case sessionClosed(WebTransportCloseInfo)
    }

    /// Who is told of drained queues and of the end.
    public weak var delegate: (any SendStreamDelegate)?

    /// Whether the delegate is told each time that the queue is about to be empty. Otherwise it is told only when the queue,
    /// or that of the session, falls to its low watermark.
    public var tellsWhenEmpty = true

    /// How many bytes were handed to the transport so far.
    public internal(set) var bytesTaken: UInt64 = 0

    /// Whether `finish()` was called.
    public internal(set) var isFinished = false

    /// Whether the stream was reset, by this side or in answer to the peer's STOP_SENDING.
    public internal(set) var isReset = false

    /// Whether everything including the end was delivered.
    public internal(set) var isDelivered = false

    /// Where the stream stands in the sending order; a change applies at once.
    public var priority: StreamPriority {
        didSet {
            guard self.priority != oldValue, let manager = self.manager else { return }
            manager.backend?.setPriority(self.priority, of: self.id, token: self.token)
        }
    }

    init(id: StreamID, token: StreamToken, priority: StreamPriority, manager: WebTransportStreamManager) {
        self.id = id
        self.token = token
        self.priority = priority
        self.owner = manager
    }

    /// Its session's manager, for as long as the stream is not closed.
    var manager: WebTransportStreamManager? { self.isAttached ? self.owner : nil }

    /// The stream is closed.
    func detach() {
        self.isAttached = false
    }

    /// Whether the stream is over: complete, reset, stopped by the peer, or its session is closed.
    public var isClosed: Bool { !self.isAttached }

    /// Whether `write` can still be called.
    public var isWritable: Bool { self.isAttached && !self.isFinished }

    /// How many bytes wait to be handed to the transport.
    public var queuedByteCount: Int { self.queue.byteCount - self.pendingTake }

    /// Whether everything that was written has arrived, as far as acknowledgements say. The end does not count.
    ///
    /// Looked up with each call. Who wants to reset a stream without losing what was written waits for this.
    public var isAcknowledged: Bool {
        guard let backend = self.manager?.backend else { return self.isDelivered }
        return self.queue.byteCount == 0 && backend.isAcknowledged(self.bytesTaken, of: self.id)
    }

    /// Whether the stream, or its whole session, has more queued than it should: write no more until
    /// `sendStreamDidDrain`.
    public var isAboveHighWatermark: Bool {
        self.isAboveOwnWatermark || self.manager?.isAboveSessionWatermark == true
    }

    /// Queues bytes; large ones are kept by reference until they are sent.
    ///
    /// - Throws: `streamClosed` (with the code that the stream was reset or stopped with), `sessionClosed`; `queueFull`
    ///   beyond the hard limit, and then nothing was queued.
    public func write(_ bytes: Bytes) throws(WebTransportError) {
        try self.checkRoom(for: bytes.count)
        guard !bytes.isEmpty else { return }
        self.queue.append(bytes)
        self.owner.didQueue(bytes.count, on: self)
    }

    /// Queues a copy of bytes; small pieces are packed together.
    ///
    /// - Throws: as `write(_:)`.
    public func write(copying span: RawSpan) throws(WebTransportError) {
        let count = span.byteCount
        try self.checkRoom(for: count)
        guard count > 0 else { return }
        self.queue.append(copying: span)
        self.owner.didQueue(count, on: self)
    }

    /// Queues what `fill` appends to an empty array, which is reused from call to call.
    ///
    /// - Throws: as `write(_:)`.
    public func write(_ fill: (inout [UInt8]) -> Void) throws(WebTransportError) {
        guard self.isWritable else { throw self.refusal }
        var scratch = self.owner.takeScratch()
        fill(&scratch)
        defer { self.owner.returnScratch(&scratch) }
        try unsafe self.write(copying: scratch.span.bytes)
    }

    /// Ends the stream after what was written.
    ///
    /// - Throws: `streamClosed` when it is finished or over already, `sessionClosed`.
    public func finish() throws(WebTransportError) {
        try self.checkRoom(for: 0)
        self.isFinished = true
        self.writers?.wakeAll()
        self.owner.activate(self)
    }

    /// Gives the stream up: what is queued is dropped and the peer told `code`. Does nothing on a stream that is over.
    public func reset(code: UInt64) {
        guard let manager = self.manager else { return }
        manager.reset(self, code: code)
    }

    private func checkRoom(for count: Int) throws(WebTransportError) {
        guard self.isWritable else { throw self.refusal }
        let limits = self.owner.configuration
        let queued = self.queue.byteCount
        if count > limits.streamQueueLimit - queued {
            throw WebTransportError(
                .queueFull,
                "stream \(self.id) has \(queued) bytes queued",
                limit: limits.streamQueueLimit
            )
        }
        if count > limits.sessionQueueLimit - self.owner.queuedByteCount {
            throw WebTransportError(
                .queueFull,
                "the session has \(self.owner.queuedByteCount) bytes queued",
                limit: limits.sessionQueueLimit
            )
        }
    }

    /// Why the stream takes no more.
    var refusal: WebTransportError {
        switch self.end {
        case nil, .delivered:
            WebTransportError(.streamClosed, "stream \(self.id) was finished after \(self.bytesWritten) bytes")
        case .reset(let code):
            WebTransportError(.streamClosed, "stream \(self.id) was reset by this side", wireCode: code)
        case .stopped(let code):
            WebTransportError(.streamClosed, "the peer stopped stream \(self.id)", wireCode: code)
        case .sessionClosed(let info):
            .sessionClosed(info, "writing to stream \(self.id)")
        }
    }

    /// How many bytes were written so far, those that wait included.
    private var bytesWritten: UInt64 { self.bytesTaken + UInt64(clamping: self.queue.byteCount) }
}
