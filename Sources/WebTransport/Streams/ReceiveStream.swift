// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What the peer sends on one stream. Confined to the loop.
///
/// Bytes go to the reader straight from the transport's memory; what the reader leaves, or what comes while there is no
/// reader or the stream is paused, is kept. At most a receive window of bytes is kept, since windows open only as bytes are
/// consumed. Instead of a reader a task may take what is kept, with `read(atMost:)`.
public final class ReceiveStream {
    /// The number of the stream on the wire.
    public let id: StreamID
    let token: StreamToken

    /// Its session's manager, for as long as the stream is not over.
    var manager: WebTransportStreamManager?
    // Without a check of exclusive access, as the queue of a ``SendStream``: the buffer calls nobody.
    @safe @exclusivity(unchecked) var buffer = IngressBuffer()
    /// Whether the peer opened the stream and the handler has not been told yet.
    var needsNotification: Bool
    /// Whether the handler is being told: delivery waits until it returns.
    var isHeld = false
    var isDelivering = false
    /// Whether the delivery under way is the last one: the reader is hearing of the end.
    var isDeliveringEnd = false
    /// Whether something happened during a delivery that calls for another one.
    var deliversAgain = false
    var isFinReceived = false
    var received: UInt64 = 0
    var consumed: UInt64 = 0
    var receiveLimit: UInt64
    /// How the stream ended, and whether it did while there was no reader to be told.
    var end: End?
    var isEndUntold = false
    /// The task that reads, while it waits; at most one.
    var readers: WaitList?
    var isBeingRead = false
    /// What arrives at the moment, when it came by reference.
    var lent: Bytes?
    // Without a check of exclusive access, as the buffer above, and for the same reason.
    @safe @exclusivity(unchecked) private var block = BytesBlock()
    private var currentReader: (any ReceiveStreamReader)?

    /// The ways in which a stream ends.
    enum End {
        /// All of it was delivered, or waits in the buffer of a stream that outlived its session.
        case finished
        case reset(UInt64)
        /// By this side.
        case stopped(UInt64)
        case sessionClosed(WebTransportCloseInfo)
    }

    /// Whether `pause()` holds back what arrives.
    public private(set) var isPaused = false

    init(id: StreamID, token: StreamToken, receiveLimit: UInt64, isOfPeer: Bool, manager: WebTransportStreamManager) {
        self.id = id
        self.token = token
        self.receiveLimit = receiveLimit
        self.needsNotification = isOfPeer
        self.manager = manager
    }

    /// Who takes the bytes. Setting it delivers what was kept, and how the stream ended if it did.
    ///
    /// The stream lets go of its reader when it is over. A task that waits in `read(atMost:)` is turned away.
    public var reader: (any ReceiveStreamReader)? {
        get { self.currentReader }
        set {
            self.currentReader = newValue
            guard newValue != nil else { return }
            self.readers?.wakeAll()
            if let manager = self.manager {
                manager.deliverBuffered(self)
            } else {
                self.tellPendingEnd()
            }
        }
    }

    /// Whether the stream is over: ended and delivered, reset, stopped, or its session is closed.
    public var isClosed: Bool { self.manager == nil }

    /// How many bytes are kept for the reader.
    public var bufferedByteCount: Int { self.buffer.count }

    /// How many bytes arrived so far.
    public var bytesReceived: UInt64 { self.received }

    /// Makes a part of the bytes that the reader is being given last: by reference where they arrived so, and are enough to
    /// be worth it, and else with a copy.
    ///
    /// `rest` is how many more bytes of the same whole, a payload, will be kept from this stream: its pieces share memory that
    /// is set aside for up to sixteen like the first, and go when all are let go.
    public func keep(_ part: RawSpan, followedBy rest: UInt64 = 0) -> Bytes {
        guard part.byteCount > EgressQueue.packLimit, let kept = self.lent?.slice(at: part) else {
            return self.block.copy(part, followedBy: rest)
        }
        return kept
    }

    /// Tells the peer that the rest is not wanted (STOP_SENDING). The reader is let go and gets nothing more.
    public func stopSending(code: UInt64) {
        guard let manager = self.manager else { return }
        manager.stop(self, code: code)
    }

    /// Keeps what arrives instead of delivering it. Once a window's worth is kept the peer has to wait.
    public func pause() {
        self.isPaused = true
    }

    /// Delivers what was kept, and what arrives from now on.
    public func resume() {
        guard self.isPaused else { return }
        self.isPaused = false
        self.manager?.deliverBuffered(self)
    }

    /// Lets the reader go and returns it, so that it can be told of the end.
    func takeReader() -> (any ReceiveStreamReader)? {
        let reader = self.currentReader
        self.currentReader = nil
        self.block.removeAll()
        return reader
    }

    /// Whether a read would return bytes or the end now.
    var isReadable: Bool {
        !self.isPaused && !self.isDelivering && (!self.buffer.isEmpty || self.isFinReceived)
    }

    /// Tells the reader of an end that came before it did.
    func tellPendingEnd() {
        guard self.isEndUntold, let end = self.end, let reader = self.takeReader() else { return }
        self.isEndUntold = false
        switch end {
        case .finished:
            let rest = replace(&self.buffer, with: IngressBuffer())
            _ = reader.receiveStream(self, didReceive: rest.joined.span, isFinished: true)
        case .reset(let code): reader.receiveStream(self, wasResetWith: code)
        case .stopped: break
        case .sessionClosed: reader.receiveStreamSessionClosed(self)
        }
    }
}
