// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

extension WebTransportStreamManager {
    /// The next place in a line.
    func takeTicket() -> UInt64 {
        self.lastTicket += 1
        return self.lastTicket
    }

    /// Suspends the task until one of the lists wakes it, or it is cancelled. The caller then looks what happened.
    func wait(as ticket: UInt64, in list: WaitList, and other: WaitList? = nil) async {
        let waiter = Waiter(ticket: ticket)
        list.add(waiter)
        other?.add(waiter)
        self.counters.waitsBegun += 1
        await waiter.wait()
        self.counters.waitsEnded += 1
        list.remove(waiter)
        other?.remove(waiter)
    }

    /// Why a session that is over, or will open no more streams, refuses.
    func refusal(of what: String) -> WebTransportError {
        if let info = self.closeInfo { return .sessionClosed(info, what) }
        return WebTransportError(.sessionDraining, "\(what): the session is draining and opens no more streams")
    }

    // MARK: Writers

    /// Lets the next writer look: one of the stream, if it is not above its watermark, or one of any stream.
    func wakeNextWriter(of stream: SendStream) {
        if !stream.isAboveOwnWatermark { stream.writers?.wakeFirst() }
        if !self.isAboveSessionWatermark { self.sessionWriters.wakeFirst() }
    }

    // MARK: Openers

    /// How many more streams can be opened without waiting; see `WebTransportSession.streamCredit`.
    public func streamCredit(unidirectional: Bool) -> Int {
        guard let backend = self.backend, !self.isDraining else { return 0 }
        let own = max(self.configuration.maximumOutgoingStreams - self.liveOutgoing, 0)
        return min(own, Int(clamping: backend.streamCredit(unidirectional: unidirectional)))
    }

    /// Waits until a stream can be opened; see `WebTransportSession.waitForStreamCredit`.
    public func waitForStreamCredit(unidirectional: Bool) async throws(WebTransportError) {
        let list = unidirectional ? self.unidirectionalOpeners : self.bidirectionalOpeners
        var ticket: UInt64?
        while self.streamCredit(unidirectional: unidirectional) == 0 {
            guard let backend = self.backend, !self.isDraining else {
                throw self.refusal(of: "waiting for a stream")
            }
            guard !Task.isCancelled else {
                list.wakeFirst()
                throw WebTransportError(.cancelled, "the task that waited for a stream was cancelled")
            }
            let place = ticket ?? self.takeTicket()
            ticket = place
            backend.awaitStreamCredit(unidirectional: unidirectional)
            await self.wait(as: place, in: list)
        }
        // Whoever is next finds out what is left once this one has opened its stream.
        if ticket != nil { list.wakeFirst() }
    }

    /// Takes note that the peer allows more streams, or may do so: those who wait look again.
    public func streamCreditChanged(unidirectional: Bool) {
        (unidirectional ? self.unidirectionalOpeners : self.bidirectionalOpeners).wakeFirst()
    }

    // MARK: Draining

    /// Opens no more streams from this side; see `WebTransportSession.drain`.
    public func drain() {
        guard let backend = self.backend, !self.isDraining else { return }
        self.isDraining = true
        backend.drainTransport()
        self.unidirectionalOpeners.wakeAll()
        self.bidirectionalOpeners.wakeAll()
    }

    /// Waits for the streams of a draining session; see `WebTransportSession.waitUntilDrained`.
    public func waitUntilDrained() async throws(WebTransportError) {
        guard self.isDraining || self.isClosed else {
            throw WebTransportError(.invalidState, "the session is not draining")
        }
        let ticket = self.takeTicket()
        while !self.isClosed, self.liveStreams > 0 {
            guard !Task.isCancelled else {
                throw WebTransportError(.cancelled, "the task that waited for the session's streams was cancelled")
            }
            await self.wait(as: ticket, in: self.drainWaiters)
        }
        guard !self.isClosed || self.wasIdleAtEnd else { throw self.refusal(of: "waiting for the streams") }
    }

    /// Takes note that the peer is draining the session; the handler is told once.
    public func peerIsDraining() {
        guard !self.isClosed, !self.isPeerDraining else { return }
        self.isPeerDraining = true
        self.tellHandlerOfDrain()
    }

    /// How many streams live, of either side.
    var liveStreams: Int {
        self.liveOutgoing + self.liveIncomingUnidirectional + self.liveIncomingBidirectional
    }

    /// Wakes those who wait for a stream to be over.
    func wakeAfterRetirement(ofPeer isOfPeer: Bool) {
        if !isOfPeer {
            self.unidirectionalOpeners.wakeFirst()
            self.bidirectionalOpeners.wakeFirst()
        }
        if self.isDraining, self.liveStreams == 0 { self.drainWaiters.wakeAll() }
    }
}
