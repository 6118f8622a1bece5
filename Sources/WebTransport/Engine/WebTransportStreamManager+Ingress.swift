// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

extension WebTransportStreamManager {
    // MARK: From the transport

    /// Accepts a stream of the peer, whose first event is about to be reported with the token returned.
    ///
    /// Returns nil when the stream is refused: then the transport stops it and resets this side's direction.
    public func acceptStream(_ id: StreamID) -> StreamToken? {
        guard !id.isInitiated(by: self.role) else {
            self.counters.misdirectedEvents += 1
            return nil
        }
        // The transport sees to the limit itself. Streams that arrived completely but were not read count for it no more,
        // though they do here.
        let live = id.isUnidirectional ? self.liveIncomingUnidirectional : self.liveIncomingBidirectional
        let limit =
            id.isUnidirectional
            ? self.configuration.maximumIncomingUnidirectionalStreams
            : self.configuration.maximumIncomingBidirectionalStreams
        guard !self.isClosed, live / 4 < limit, self.handler != nil || !self.hadHandler else {
            self.counters.streamsRefused += 1
            return nil
        }
        let token = self.reserveSlot()
        self.slots[token.index].id = id
        self.slots[token.index].isOfPeer = true
        self.slots[token.index].receive = ReceiveStream(
            id: id,
            token: token,
            receiveLimit: UInt64(clamping: self.configuration.streamReceiveWindow),
            isOfPeer: true,
            manager: self
        )
        if id.isUnidirectional {
            self.liveIncomingUnidirectional += 1
        } else {
            self.liveIncomingBidirectional += 1
            self.slots[token.index].send = SendStream(id: id, token: token, priority: .default, manager: self)
        }
        self.counters.streamsAccepted += 1
        return token
    }

    /// Takes bytes, the end, or both, of a stream. The bytes are read during the call only.
    public func received(_ bytes: RawSpan, isFinished: Bool, on token: StreamToken) {
        let count = UInt64(bytes.byteCount)
        guard !self.isClosed else { return }
        self.sessionReceived &+= count
        guard let stream = self.receiveStream(for: token) else {
            self.counters.staleEvents += 1
            self.didConsume(count)
            return
        }
        guard !stream.isFinReceived else {
            self.counters.misdirectedEvents += 1
            self.didConsume(count)
            return
        }
        stream.received &+= count
        // No limit ever announced lies further ahead of what was consumed than a window.
        let kept = stream.received - stream.consumed
        let sessionKept = self.sessionReceived - self.sessionConsumed
        guard kept <= UInt64(clamping: self.configuration.streamReceiveWindow),
            sessionKept <= UInt64(clamping: self.configuration.sessionReceiveWindow)
        else {
            self.close(code: Self.flowControlError, reason: "flow control limit exceeded")
            return
        }
        stream.isFinReceived = isFinished
        guard count > 0 || isFinished else { return }
        if stream.needsNotification {
            self.notify(stream)
            guard stream.manager != nil else { return }
        }
        self.deliver(bytes, to: stream)
    }

    /// Takes bytes, the end, or both, of a stream, by reference: its reader can keep parts of them without copying
    /// (`ReceiveStream.keep(_:)`). For transports within the process.
    public func received(_ bytes: Bytes, isFinished: Bool, on token: StreamToken) {
        let stream = self.receiveStream(for: token)
        stream?.lent = bytes
        self.received(bytes.span, isFinished: isFinished, on: token)
        stream?.lent = nil
    }

    /// Takes note of bytes that arrived on a stream that is gone: they count for the session's window.
    public func discarded(_ count: Int) {
        guard !self.isClosed, count > 0 else { return }
        self.sessionReceived &+= UInt64(count)
        self.didConsume(UInt64(count))
    }

    /// Tells the transport again how far the peer may send, after a time in which it could not pass that on.
    public func repeatReceiveLimits() {
        guard let backend = self.backend else { return }
        for stream in self.slots.compactMap(\.receive) where stream.consumed > 0 && !stream.isFinReceived {
            backend.raiseReceiveLimit(
                of: stream.id,
                to: stream.receiveLimit,
                received: stream.received,
                token: stream.token
            )
        }
        if self.sessionConsumed > 0 { backend.raiseSessionReceiveLimit(to: self.sessionReceiveLimit) }
    }

    /// The code a session is closed with when its peer sends more than it may (RFC 9000 section 20.1).
    static let flowControlError: UInt64 = 3

    /// Takes note of RESET_STREAM.
    public func streamWasReset(_ token: StreamToken, code: UInt64) {
        guard let stream = self.receiveStream(for: token) else {
            self.counters.staleEvents += 1
            return
        }
        guard !stream.isFinReceived else { return }
        let wasToldToHandler = !stream.needsNotification && !stream.isHeld
        if let reader = self.detach(stream, as: .reset(code)) {
            reader.receiveStream(stream, wasResetWith: code)
        } else {
            stream.isEndUntold = true
        }
        // A stream that nobody heard of has nobody who could end its other direction.
        if !wasToldToHandler, let send = self.sendStream(for: token) { self.reset(send, code: code) }
    }

    // MARK: Notification

    /// Tells the handler of a stream of the peer, or keeps it until there is one.
    func notify(_ stream: ReceiveStream) {
        stream.needsNotification = false
        guard let handler = self.handler else {
            if self.hadHandler {
                self.counters.streamsRefused += 1
                let send = self.sendStream(for: stream.token)
                self.stop(stream, code: 0)
                if let send { self.reset(send, code: 0) }
            } else {
                stream.isHeld = true
                self.heldStreams.append(stream.token)
            }
            return
        }
        guard let session = self.session else { return }
        stream.isHeld = true
        if stream.id.isUnidirectional {
            handler.transport(session, didOpen: stream)
        } else if let send = self.sendStream(for: stream.token) {
            handler.transport(session, didOpen: BidirectionalStream(send: send, receive: stream))
        } else {
            // The peer stopped our direction before it sent anything: hand out the closed direction.
            let send = SendStream(id: stream.id, token: stream.token, priority: .default, manager: self)
            send.detach()
            send.isReset = true
            send.end = .stopped(nil)
            handler.transport(session, didOpen: BidirectionalStream(send: send, receive: stream))
        }
        stream.isHeld = false
    }

    // MARK: Delivery

    /// Gives bytes to the reader straight from where they are, or keeps them when that is not possible now.
    private func deliver(_ bytes: RawSpan, to stream: ReceiveStream) {
        guard let reader = stream.reader, !stream.isPaused, !stream.isHeld, !stream.isDelivering, stream.buffer.isEmpty
        else {
            stream.buffer.append(bytes)
            self.deliverBuffered(stream)
            return
        }
        stream.deliversAgain = false
        stream.isDelivering = true
        let isFinished = stream.isFinReceived
        stream.isDeliveringEnd = isFinished
        let answer = reader.receiveStream(stream, didReceive: bytes, isFinished: isFinished)
        stream.isDelivering = false
        stream.isDeliveringEnd = false
        guard stream.manager != nil else { return }
        if isFinished {
            _ = self.detach(stream, as: .finished)
            return
        }
        let used = min(max(answer, 0), bytes.byteCount)
        if used < bytes.byteCount { stream.buffer.prepend(bytes.extracting(used...)) }
        self.didConsume(UInt64(used), of: stream)
        if stream.deliversAgain || stream.reader == nil { self.deliverBuffered(stream) }
    }

    /// Gives what was kept to the reader, if it can be given now.
    func deliverBuffered(_ stream: ReceiveStream) {
        if stream.isDelivering {
            stream.deliversAgain = true
            return
        }
        while stream.manager != nil, !stream.isPaused, !stream.isHeld, let reader = stream.reader {
            guard !stream.buffer.isEmpty || stream.isFinReceived else { return }
            let current = stream.buffer.first
            stream.deliversAgain = false
            stream.isDelivering = true
            let isFinished = stream.isFinReceived && current.count == stream.buffer.count
            stream.isDeliveringEnd = isFinished
            let answer = reader.receiveStream(stream, didReceive: current.span, isFinished: isFinished)
            stream.isDelivering = false
            stream.isDeliveringEnd = false
            guard stream.manager != nil else { return }
            if isFinished {
                _ = self.detach(stream, as: .finished)
                return
            }
            let used = min(max(answer, 0), current.count)
            stream.buffer.removeFirst(used)
            let leadsFurther = used > 0 || stream.reader !== reader || stream.isFinReceived
            self.didConsume(UInt64(used), of: stream)
            guard used < current.count, !stream.isPaused, stream.reader != nil else { continue }
            // Present the rest once more only with more behind it, or if a delivery is asked for that can lead further: a
            // reader that consumed nothing would be asked for ever.
            guard stream.buffer.bridge() || (stream.deliversAgain && leadsFurther) else { return }
        }
        // Without a reader there may be a task that reads.
        if stream.reader == nil, stream.isReadable { stream.readers?.wakeFirst() }
    }

    /// Lets a stream go for `ReceiveStream.stopSending`.
    func stop(_ stream: ReceiveStream, code: UInt64) {
        if !stream.isFinReceived {
            self.backend?.stopSending(stream.id, code: code, received: stream.received, token: stream.token)
        }
        _ = self.detach(stream, as: .stopped(code))
    }

    /// Gives the first bytes kept to who reads without a reader. When the end is known and they are the last, the stream is
    /// over.
    func takeBuffered(of stream: ReceiveStream, atMost maximum: Int) -> Bytes {
        let bytes = stream.buffer.take(atMost: maximum)
        if stream.isFinReceived, stream.buffer.isEmpty {
            _ = self.detach(stream, as: .finished)
        } else {
            self.didConsume(UInt64(bytes.count), of: stream)
        }
        return bytes
    }

    /// Closes the receiving direction, counting as consumed what nobody will read; returns the reader it had.
    private func detach(_ stream: ReceiveStream, as end: ReceiveStream.End) -> (any ReceiveStreamReader)? {
        let rest = stream.received - stream.consumed
        stream.consumed = stream.received
        stream.manager = nil
        stream.end = end
        stream.readers?.wakeAll()
        _ = stream.buffer.removeAll()
        let reader = stream.takeReader()
        self.slots[stream.token.index].receive = nil
        self.didConsume(rest)
        self.retireIfDone(stream.token)
        return reader
    }

    // MARK: Windows

    /// By how much a window is opened at a time: each opening is a packet more, and the peer still has most of its window.
    private static func step(of window: UInt64) -> UInt64 {
        max(window / 8, 1)
    }

    /// Opens the stream's window and the session's by what was consumed.
    private func didConsume(_ count: UInt64, of stream: ReceiveStream) {
        guard count > 0 else { return }
        stream.consumed += count
        let window = UInt64(clamping: self.configuration.streamReceiveWindow)
        let limit = stream.consumed &+ window
        if !stream.isFinReceived, limit > stream.receiveLimit, limit - stream.receiveLimit >= Self.step(of: window) {
            stream.receiveLimit = limit
            self.counters.windowUpdates += 1
            self.backend?.raiseReceiveLimit(of: stream.id, to: limit, received: stream.received, token: stream.token)
        }
        self.didConsume(count)
    }

    /// Opens the session's window by what was consumed or thrown away.
    private func didConsume(_ count: UInt64) {
        self.sessionConsumed &+= count
        let window = UInt64(clamping: self.configuration.sessionReceiveWindow)
        let limit = self.sessionConsumed &+ window
        guard limit > self.sessionReceiveLimit, limit - self.sessionReceiveLimit >= Self.step(of: window) else {
            return
        }
        self.sessionReceiveLimit = limit
        self.counters.windowUpdates += 1
        self.backend?.raiseSessionReceiveLimit(to: limit)
    }
}
