// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

extension WebTransportStreamManager {
    /// How often a datagram may fail to fit into the room offered before it is dropped: the path will not get wider.
    private static let maximumMisfits = 64

    /// The size of the largest datagram that is taken now: that the path carries, and the queue has room for when it is empty.
    public var maximumDatagramSize: Int {
        self.isConnected ? min(self.transport.maximumDatagramSize, self.configuration.datagramQueueBytes) : 0
    }

    /// Queues a datagram; see `WebTransportSession.sendDatagram`.
    public func sendDatagram(
        _ bytes: Bytes,
        lifetime: Duration? = nil,
        order: DatagramOrder = DatagramOrder()
    ) throws(WebTransportError) {
        try self.sendDatagram(header: RawSpan(), payload: bytes, lifetime: lifetime, order: order)
    }

    /// Queues a datagram of two parts; see `WebTransportSession.sendDatagram`.
    public func sendDatagram(
        header: RawSpan,
        payload: Bytes,
        lifetime: Duration?,
        order: DatagramOrder
    ) throws(WebTransportError) {
        let count = header.byteCount + payload.count
        guard self.isConnected else { throw self.refusal(of: "sending a datagram") }
        let limit = self.maximumDatagramSize
        guard limit > 0 else {
            throw WebTransportError(.datagramsUnsupported, "the peer takes no datagrams")
        }
        guard count > 0 else {
            throw WebTransportError(.invalidState, "a datagram needs at least one byte")
        }
        guard count <= limit else {
            throw WebTransportError(.datagramTooLarge, "a datagram of \(count) bytes does not fit", limit: limit)
        }
        guard let kept = DatagramHeader(copying: header) else {
            let joined = Bytes(joining: header, payload.span)
            try self.sendDatagram(header: RawSpan(), payload: joined, lifetime: lifetime, order: order)
            return
        }
        let dropped = self.datagrams.append(
            payload,
            behind: kept,
            at: self.transport.currentTime,
            lifetime: min(lifetime.map { Self.microseconds(of: $0) } ?? .max, self.datagramMaximumAge),
            order: order,
            maximumCount: self.configuration.datagramQueueCount,
            maximumBytes: self.configuration.datagramQueueBytes
        )
        self.counters.datagramsAccepted += 1
        self.counters.datagramsDroppedFull += UInt64(dropped)
        self.counters.maximumDatagramsQueued = max(self.counters.maximumDatagramsQueued, self.datagrams.count)
        guard !self.areDatagramsActive else { return }
        self.areDatagramsActive = true
        self.transport.datagramsBecameReady()
    }

    /// Says which datagram is next for up to `maximum` bytes of room; `takeDatagram` then moves it.
    ///
    /// Datagrams that waited too long, or that the path does not take any more, are dropped first.
    public func prepareDatagram(maximum: Int) -> DatagramOffer {
        guard self.isConnected else { return .nothing }
        let now = self.transport.currentTime
        let limit = self.transport.maximumDatagramSize
        while let count = self.datagrams.firstByteCount {
            if self.datagrams.isFirstLate(at: now) {
                self.counters.datagramsDroppedLate += 1
            } else if count > limit || self.datagrams.misfitsOfFirst >= Self.maximumMisfits {
                self.counters.datagramsDroppedOversize += 1
            } else if count > maximum {
                self.datagrams.firstDidNotFit()
                return .doesNotFit
            } else {
                return .ready(count: count, isLast: self.datagrams.count == 1)
            }
            self.datagrams.removeFirst()
        }
        self.areDatagramsActive = false
        return .nothing
    }

    /// Moves the datagram that was offered into the transport's memory, which must have its size.
    ///
    /// Returns whether it did: otherwise the datagram stays queued.
    @discardableResult
    public func takeDatagram(into buffer: UnsafeMutableRawBufferPointer) -> Bool {
        guard self.datagrams.firstByteCount == buffer.count else { return false }
        unsafe self.datagrams.takeFirst(into: buffer)
        self.didTakeDatagram()
        return true
    }

    /// Takes the datagram that was offered, by reference: for transports within the process. Nil when none waits.
    public func takeDatagram() -> Bytes? {
        guard let first = self.datagrams.first else { return nil }
        self.datagrams.removeFirst()
        self.didTakeDatagram()
        return first
    }

    private func didTakeDatagram() {
        self.counters.datagramsSent += 1
        if self.datagrams.isEmpty { self.areDatagramsActive = false }
    }

    /// Takes a datagram of the peer and gives it to the handler. The bytes are read during the call only.
    public func receivedDatagram(_ bytes: RawSpan) {
        guard !self.isClosed else { return }
        if let handler = self.handler, let session = self.session {
            self.counters.datagramsReceived += 1
            handler.transport(session, didReceiveDatagram: bytes)
        } else if !self.hadHandler, let backend = self.backend {
            let dropped = self.heldDatagrams.append(
                Bytes(copying: bytes),
                at: backend.currentTime,
                lifetime: .max,
                maximumCount: self.configuration.datagramQueueCount,
                maximumBytes: self.configuration.datagramQueueBytes
            )
            self.counters.datagramsUnclaimed += UInt64(dropped)
        } else {
            self.counters.datagramsUnclaimed += 1
        }
    }
}
