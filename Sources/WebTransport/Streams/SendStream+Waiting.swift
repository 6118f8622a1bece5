// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

extension SendStream {
    /// Waits while the stream or its session is above its high watermark, until that is down to its low watermark.
    ///
    /// Those who wait go on in the order they came, each when the one before it has written: one write of each is all that
    /// the queue grows beyond its watermark. Comes back where it was called, without suspending when there is room.
    /// - Throws: `streamClosed` (also when the stream is finished, reset or stopped meanwhile), `sessionClosed`,
    ///   `cancelled`.
    public func waitUntilWritable() async throws(WebTransportError) {
        var ticket: UInt64?
        var session: WebTransportStreamManager?
        while let manager = self.manager, !self.isFinished, self.isAboveHighWatermark {
            guard !Task.isCancelled else {
                manager.wakeNextWriter(of: self)
                throw WebTransportError(.cancelled, "the task that waited to write to stream \(self.id) was cancelled")
            }
            // Woken because the session drained, but held back by its own queue: that is for somebody else to use.
            if ticket != nil, !manager.isAboveSessionWatermark { manager.sessionWriters.wakeFirst() }
            let place = ticket ?? manager.takeTicket()
            ticket = place
            session = manager
            let list = self.writers ?? WaitList()
            self.writers = list
            await manager.wait(
                as: place,
                in: list,
                and: self.isAboveOwnWatermark ? nil : manager.sessionWriters
            )
        }
        guard let manager = self.manager, !self.isFinished else {
            session?.sessionWriters.wakeFirst()
            throw self.refusal
        }
        // Whoever is next finds out what is left once this one has written.
        if ticket != nil { manager.wakeNextWriter(of: self) }
    }

    /// Queues bytes as soon as there is room, as `waitUntilWritable()` says.
    ///
    /// - Throws: as `waitUntilWritable()` and `write(_:)`; nothing was queued then.
    public func writeWhenWritable(_ bytes: Bytes) async throws(WebTransportError) {
        try await self.waitUntilWritable()
        try self.write(bytes)
    }
}
