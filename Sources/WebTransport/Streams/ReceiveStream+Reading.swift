// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

extension ReceiveStream {
    /// Takes the next bytes of the stream, up to `maximum` of them, and waits for some if there are none; nil at the end.
    ///
    /// An alternative to a reader: a stream has one or the other. Windows open by what was taken, so that a task that does
    /// not read stops its sender. Comes back where it was called, without suspending when bytes are here. While the stream
    /// is paused nothing is taken. When the task is cancelled, bytes stay for the next read.
    ///
    /// - Precondition: `maximum` is positive. Called on the loop, as everything here: by an actor that is pinned to it or
    ///   a task that prefers it.
    /// - Throws: `streamReset` with the peer's code; `streamClosed` after `stopSending`; `sessionClosed`; `cancelled`;
    ///   `invalidState` while there is a reader (also when one is set meanwhile) or another task reads.
    public func read(atMost maximum: Int = .max) async throws(WebTransportError) -> Bytes? {
        precondition(maximum > 0, "a read of nothing")
        guard !self.isBeingRead else {
            throw WebTransportError(.invalidState, "stream \(self.id) is being read by another task")
        }
        self.isBeingRead = true
        defer { self.isBeingRead = false }
        while true {
            guard self.reader == nil else {
                throw WebTransportError(.invalidState, "stream \(self.id) has a reader and cannot be read as well")
            }
            if let end = self.end { return try self.rest(after: end, atMost: maximum) }
            guard let manager = self.manager else {
                throw WebTransportError(.streamClosed, "stream \(self.id) is closed")
            }
            if self.isReadable {
                let bytes = manager.takeBuffered(of: self, atMost: maximum)
                return bytes.isEmpty ? nil : bytes
            }
            guard !Task.isCancelled else {
                throw WebTransportError(.cancelled, "the task that read stream \(self.id) was cancelled")
            }
            let list = self.readers ?? WaitList()
            self.readers = list
            await manager.wait(as: manager.takeTicket(), in: list)
        }
    }

    /// What a read gets from a stream that is over.
    private func rest(after end: End, atMost maximum: Int) throws(WebTransportError) -> Bytes? {
        switch end {
        case .finished:
            let bytes = self.buffer.take(atMost: maximum)
            return bytes.isEmpty ? nil : bytes
        case .reset(let code):
            throw WebTransportError(.streamReset, "the peer reset stream \(self.id)", wireCode: code)
        case .stopped(let code):
            throw WebTransportError(.streamClosed, "stream \(self.id) was stopped by this side", wireCode: code)
        case .sessionClosed(let info):
            throw .sessionClosed(info, "reading stream \(self.id)")
        }
    }
}
