// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

extension WebTransportStreamManager {
    // MARK: From the session's users

    /// Opens a stream that only this side sends on; see `WebTransportSession`.
    public func openUnidirectionalStream(priority: StreamPriority) throws(WebTransportError) -> SendStream {
        let token = try self.open(unidirectional: true, priority: priority)
        let stream = SendStream(
            id: self.slots[token.index].id,
            token: token,
            priority: priority,
            manager: self
        )
        self.slots[token.index].send = stream
        return stream
    }

    /// Opens a stream that both sides send on; see `WebTransportSession`.
    public func openBidirectionalStream(priority: StreamPriority) throws(WebTransportError) -> BidirectionalStream {
        let token = try self.open(unidirectional: false, priority: priority)
        let id = self.slots[token.index].id
        let send = SendStream(id: id, token: token, priority: priority, manager: self)
        let receive = ReceiveStream(
            id: id,
            token: token,
            receiveLimit: UInt64(clamping: self.configuration.streamReceiveWindow),
            isOfPeer: false,
            manager: self
        )
        self.slots[token.index].send = send
        self.slots[token.index].receive = receive
        return BidirectionalStream(send: send, receive: receive)
    }

    private func open(unidirectional: Bool, priority: StreamPriority) throws(WebTransportError) -> StreamToken {
        guard let backend = self.backend, !self.isDraining else { throw self.refusal(of: "opening a stream") }
        let limit = self.configuration.maximumOutgoingStreams
        guard self.liveOutgoing < limit else {
            throw WebTransportError(.streamLimit, "\(self.liveOutgoing) streams are open", limit: limit)
        }
        let token = self.reserveSlot()
        do throws(WebTransportError) {
            let id = try backend.openStream(unidirectional: unidirectional, priority: priority, token: token)
            self.slots[token.index].id = id
            self.slots[token.index].isOfPeer = false
        } catch {
            self.returnSlot(token)
            throw error
        }
        self.liveOutgoing += 1
        self.counters.streamsOpened += 1
        return token
    }

    /// Takes note of bytes that a stream queued.
    func didQueue(_ count: Int, on stream: SendStream) {
        self.sessionQueued += count
        self.counters.streamBytesWritten &+= UInt64(count)
        self.counters.maximumQueuedByteCount = max(self.counters.maximumQueuedByteCount, self.sessionQueued)
        if stream.queue.byteCount >= self.configuration.streamHighWatermark { stream.isAboveOwnWatermark = true }
        if self.sessionQueued >= self.configuration.sessionHighWatermark { self.isAboveSessionWatermark = true }
        self.activate(stream)
    }

    /// Tells the transport that a stream has something to send, if it does not know yet.
    func activate(_ stream: SendStream) {
        guard !stream.isActive, self.isConnected else { return }
        stream.isActive = true
        self.counters.activations += 1
        self.transport.streamBecameReady(stream.id, token: stream.token)
    }

    /// Gives up a stream for `SendStream.reset`.
    func reset(_ stream: SendStream, code: UInt64) {
        self.abandon(stream, code: code, as: .reset(code))
        self.tellIfSessionDrained()
    }

    /// Drops what a stream has queued, resets it on the wire and closes it.
    private func abandon(_ stream: SendStream, code: UInt64, as end: SendStream.End) {
        let dropped = stream.queue.removeAll()
        self.sessionQueued -= dropped
        self.counters.streamBytesDropped &+= UInt64(dropped)
        self.sessionPendingTake -= stream.pendingTake
        stream.pendingTake = 0
        stream.isReset = true
        stream.isActive = false
        self.backend?.resetStream(stream.id, code: code, token: stream.token)
        self.detach(stream, as: end)
    }

    private func detach(_ stream: SendStream, as end: SendStream.End) {
        stream.detach()
        stream.end = end
        stream.isAboveOwnWatermark = false
        stream.writers?.wakeAll()
        self.slots[stream.token.index].send = nil
        self.retireIfDone(stream.token)
    }

    // MARK: From the transport

    /// Says what a stream has for up to `maximum` bytes of room; `takeOffered` then moves it.
    ///
    /// Between the two calls nothing changes, so that the transport can make room of exactly the right size. The stream's
    /// delegate may be told before this returns that the queue drains, and what it writes is part of the offer.
    public func prepareToSend(_ token: StreamToken, maximum: Int) -> EgressOffer {
        if let offer = self.untoldOffer(token, maximum: maximum) {
            return offer
        }
        guard let stream = self.sendStream(for: token), !stream.isFinSent else {
            self.counters.staleEvents += 1
            return .nothing
        }
        let room = max(maximum, 0)
        var known = 0
        repeat {
            known = stream.queue.byteCount
            self.announceTake(of: min(room, known), from: stream)
            // The delegate may have done anything: look again. When it wrote and there is room for all of that too, the
            // queue drains once more.
            guard !stream.isClosed else { return .nothing }
        } while stream.queue.byteCount > known && stream.queue.byteCount <= room
        let count = min(room, stream.queue.byteCount)
        let rest = stream.queue.byteCount - count
        let offer = EgressOffer(count: count, isFinal: stream.isFinished && rest == 0, isStillActive: rest > 0)
        if offer.isEmpty {
            if room > 0 { self.counters.emptyOffers += 1 }
            stream.isActive = offer.isStillActive
        }
        return offer
    }

    /// What a stream has, when nobody has to be told: the usual case, in which nothing is called and no reference counted.
    private func untoldOffer(_ token: StreamToken, maximum: Int) -> EgressOffer? {
        guard let stream = self.sendStream(for: token), !stream.isFinSent else {
            return nil
        }
        let queued = stream.queue.byteCount
        let count = min(max(maximum, 0), queued)
        let rest = queued - count
        guard count > 0, !self.drains(stream, to: rest), !self.drainsSession(by: count) else {
            return nil
        }
        return EgressOffer(count: count, isFinal: stream.isFinished && rest == 0, isStillActive: rest > 0)
    }

    /// Whether the stream's delegate is to be told that so many bytes are left.
    private func drains(_ stream: SendStream, to rest: Int) -> Bool {
        rest == 0 && stream.tellsWhenEmpty
            || stream.isAboveOwnWatermark && rest <= self.configuration.streamLowWatermark
    }

    /// Whether the session falls to its low watermark when so many bytes leave it.
    private func drainsSession(by count: Int) -> Bool {
        self.isAboveSessionWatermark && self.sessionQueued - count <= self.configuration.sessionLowWatermark
    }

    /// Moves what was offered into the transport's memory, which must be `offer.count` bytes long.
    ///
    /// Returns whether it was: otherwise everything stays queued and the stream stays ready.
    @discardableResult
    public func takeOffered(
        _ offer: EgressOffer,
        of token: StreamToken,
        into buffer: UnsafeMutableRawBufferPointer
    ) -> Bool {
        // Nobody is called meanwhile, so the stream can leave its slot for so long instead of having a reference more.
        guard let stream = self.slots.takeSendStream(for: token) else {
            self.counters.staleEvents += 1
            return false
        }
        let isWhole = buffer.count == offer.count && offer.count <= stream.queue.byteCount
        if isWhole {
            self.didTake(unsafe stream.queue.take(into: buffer), of: offer, from: stream)
        } else {
            self.counters.refusedOffers += 1
        }
        self.slots[token.index].send = consume stream
        return isWhole
    }

    /// Moves what was offered behind `target`, by reference: for transports within the process.
    ///
    /// Returns whether it was, as the other one.
    @discardableResult
    public func takeOffered(_ offer: EgressOffer, of token: StreamToken, to target: inout [Bytes]) -> Bool {
        guard let stream = self.sendStream(for: token) else {
            self.counters.staleEvents += 1
            return false
        }
        guard offer.count <= stream.queue.byteCount else {
            self.counters.refusedOffers += 1
            return false
        }
        self.didTake(stream.queue.take(atMost: offer.count, to: &target), of: offer, from: stream)
        return true
    }

    private func didTake(_ count: Int, of offer: EgressOffer, from stream: SendStream) {
        stream.bytesTaken &+= UInt64(count)
        self.sessionQueued -= count
        self.counters.streamBytesTaken &+= UInt64(count)
        stream.isActive = offer.isStillActive
        if offer.isFinal { stream.isFinSent = true }
    }

    /// Takes note that the transport made no room for an offer: nothing was taken, and the stream is to be asked again.
    public func offerRefused(_ token: StreamToken) {
        self.counters.refusedOffers += 1
        guard let stream = self.sendStream(for: token), let backend = self.backend else { return }
        backend.streamBecameReady(stream.id, token: token)
    }

    /// Takes note of STOP_SENDING: the stream is reset with the same code, then its delegate told (RFC 9000 section 3.5).
    public func peerStoppedSending(_ token: StreamToken, code: UInt64) {
        guard let stream = self.sendStream(for: token) else {
            self.counters.staleEvents += 1
            return
        }
        self.abandon(stream, code: code, as: .stopped(code))
        stream.delegate?.sendStream(stream, peerStoppedSending: code)
        self.tellIfSessionDrained()
    }

    /// Takes note that everything sent on a stream, its end included, was acknowledged.
    public func streamDelivered(_ token: StreamToken) {
        guard let stream = self.sendStream(for: token), stream.isFinSent else { return }
        stream.isDelivered = true
        self.detach(stream, as: .delivered)
        stream.delegate?.sendStreamDidComplete(stream)
    }

    // MARK: Watermarks

    /// Tells those who wait for queues to drain that `count` bytes are about to leave one.
    ///
    /// This comes before the bytes are taken, because what the delegate writes now still counts for the transport's question
    /// whether there is more.
    private func announceTake(of count: Int, from stream: SendStream) {
        let rest = stream.queue.byteCount - count
        var isDrained = count > 0 && rest == 0 && stream.tellsWhenEmpty
        if stream.isAboveOwnWatermark, rest <= self.configuration.streamLowWatermark {
            stream.isAboveOwnWatermark = false
            isDrained = true
            stream.writers?.wakeFirst()
        }
        let isSessionDrained = self.drainsSession(by: count)
        guard isDrained || isSessionDrained else { return }
        stream.pendingTake = count
        self.sessionPendingTake = count
        if isDrained { stream.delegate?.sendStreamDidDrain(stream) }
        // The same stream is told again: its delegate may have written nothing because the session was still full.
        self.tellIfSessionDrained()
        stream.pendingTake = 0
        self.sessionPendingTake = 0
    }

    /// Tells the writers of all streams when the session fell to its low watermark.
    private func tellIfSessionDrained() {
        let low = self.configuration.sessionLowWatermark
        guard self.isAboveSessionWatermark, self.queuedByteCount <= low else { return }
        self.isAboveSessionWatermark = false
        self.sessionWriters.wakeFirst()
        for stream in self.slots.compactMap(\.send) {
            // Whoever was told before may have closed the stream or filled the session again.
            guard stream.isWritable, !stream.isAboveHighWatermark else { continue }
            stream.delegate?.sendStreamDidDrain(stream)
        }
    }
}
