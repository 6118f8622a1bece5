// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import WebTransport

/// Writes one stream as its shape says, and sees to it that the stream keeps its promises. (loop)
final class ChaosWriter: SendStreamDelegate {
    /// Where the stream stands, as far as its writer was told.
    enum Phase: Sendable, Hashable, Codable {
        case open
        case finished
        case reset
        case stopped
        case complete(isDelivered: Bool)

        /// Whether nothing may come any more.
        var isOver: Bool {
            switch self {
            case .open, .finished: false
            case .reset, .stopped, .complete: true
            }
        }
    }

    let id: StreamID
    let shape: StreamShape
    private(set) var phase = Phase.open
    private(set) var accepted: UInt64 = 0
    /// Whether the end was written, whatever became of the stream then.
    private(set) var hasEndWritten = false

    private weak let peer: ChaosPeer?
    private weak let stream: SendStream?
    private var held: SendStream?
    private let patternPhase: Int
    private var isSettled = false
    private var writes = 0

    init(_ stream: SendStream, shape: StreamShape, peer: ChaosPeer) {
        self.id = stream.id
        self.shape = shape
        self.peer = peer
        self.stream = stream
        self.held = shape.isUnheld ? nil : stream
        self.patternPhase = StreamPattern.phase(key: peer.key, stream: stream.id.rawValue)
        stream.delegate = self
        if stream.isReset { self.phase = .reset }
    }

    /// Whether the writer has the stream's end still to bring about.
    var isOpen: Bool { self.phase == .open }

    // MARK: - Doing

    /// Writes the first bytes.
    func begin() {
        guard self.isOpen else { return }
        if self.shape.first > 0 { self.write(self.shape.first) }
        self.endIfDone()
    }

    /// Writes some more bytes, the key first of all.
    @discardableResult
    func write(_ count: Int) -> Bool {
        guard self.isOpen, let stream = self.stream else { return false }
        var bytes: [UInt8] = []
        if self.accepted == 0 { bytes = StreamPattern.word(self.peer?.key ?? 0) }
        bytes += StreamPattern.bytes(
            count,
            from: self.accepted + UInt64(bytes.count),
            phase: self.patternPhase
        )
        return self.submit(bytes, to: stream)
    }

    private func submit(_ bytes: [UInt8], to stream: SendStream) -> Bool {
        let queued = stream.queuedByteCount
        self.writes += 1
        do throws(WebTransportError) {
            switch self.writes % 3 {
            case 0: try stream.write { $0 += bytes }
            case 1: try stream.write(Bytes([0] + bytes + [0]).slice(1..<bytes.count + 1))
            default: try unsafe stream.write(copying: bytes.span.bytes)
            }
            self.accepted += UInt64(bytes.count)
            self.peer?.context.count("writes")
            return true
        } catch {
            self.peer?.expect(error.code == .queueFull, .misuse, "a write on open stream \(self.id) failed: \(error)")
            self.peer?.expect(
                stream.queuedByteCount == queued,
                .accepted,
                "stream \(self.id) queued something of a write that failed"
            )
            self.peer?.context.count("writes refused")
            return false
        }
    }

    /// Waits for room, then writes some bytes.
    func writeWithRoom() async {
        guard let stream = self.stream, let peer = self.peer else { return }
        do throws(WebTransportError) {
            try await stream.waitUntilWritable()
            let hasRoom = stream.isWritable && !stream.isAboveHighWatermark
            peer.expect(hasRoom, .waiter, "who waited to write to stream \(self.id) went on without room")
            self.write(self.shape.chunk)
        } catch {
            let isRight =
                switch error.code {
                case .cancelled: Task.isCancelled
                case .sessionClosed: self.phase == .complete(isDelivered: false)
                case .streamClosed: self.phase != .open
                default: false
                }
            peer.expect(isRight, .misuse, "waiting to write to stream \(self.id) (\(self.phase)) failed: \(error)")
        }
    }

    /// Writes the end that lets the reader know that it has everything. Where there is no room for that, gives the stream
    /// up.
    func finish() {
        guard self.isOpen, let stream = self.stream else { return }
        if self.accepted > 0 {
            let body = self.accepted
            guard self.submit(StreamPattern.trailer(after: body, phase: self.patternPhase), to: stream) else {
                self.reset()
                return
            }
        }
        self.phase = .finished
        self.hasEndWritten = true
        self.peer?.context.count("streams finished")
        do throws(WebTransportError) {
            try stream.finish()
        } catch {
            self.peer?.violate(.misuse, "open stream \(self.id) cannot be finished: \(error)")
        }
    }

    /// Gives the stream up.
    func reset() {
        guard !self.phase.isOver, let stream = self.stream else { return }
        self.phase = .reset
        self.peer?.context.count("streams reset")
        stream.reset(code: ChaosPeer.resetCode(of: self.id))
        self.peer?.expect(stream.isClosed, .end, "stream \(self.id) was reset and is not closed")
        self.held = nil
    }

    /// Changes the priority.
    func setPriority(_ value: UInt8) {
        self.stream?.priority = StreamPriority(rawValue: value)
        self.peer?.context.count("priorities changed")
    }

    /// Does what must not be done after the end, and sees the error.
    func misuse() {
        guard self.phase != .open, let stream = self.stream else { return }
        do throws(WebTransportError) {
            try stream.write([1, 2, 3])
            self.peer?.violate(.misuse, "a write on stream \(self.id) after its end was taken")
        } catch {
            let expected: WebTransportError.Code =
                self.phase == .complete(isDelivered: false) ? .sessionClosed : .streamClosed
            self.peer?.expect(
                error.code == expected,
                .misuse,
                "a write on stream \(self.id) after its end (\(self.phase)) failed with \(error)"
            )
        }
        do throws(WebTransportError) {
            try stream.finish()
            self.peer?.violate(.misuse, "stream \(self.id) was finished after its end")
        } catch {}
        self.peer?.context.count("calls after an end")
    }

    /// Ends the stream as soon as possible.
    func settle() {
        self.isSettled = true
        self.finish()
    }

    private func endIfDone() {
        guard self.isOpen else { return }
        if self.isSettled {
            self.finish()
        } else if self.accepted >= UInt64(self.shape.total) {
            switch self.shape.ending {
            case .finish: self.finish()
            case .reset: self.reset()
            case .none: break
            }
        }
    }

    // MARK: - Being told

    func sendStreamDidDrain(_ stream: SendStream) {
        guard let peer = self.peer else { return }
        peer.note("drain", self.id.rawValue, self.accepted)
        peer.expect(!self.phase.isOver, .afterEnd, "stream \(self.id) drains after its end (\(self.phase))")
        guard self.isOpen else { return }
        let rest = Int(clamping: UInt64(self.shape.total)) - Int(clamping: self.accepted)
        if rest > 0 { self.write(min(rest, self.shape.chunk)) }
        self.endIfDone()
        peer.reactToDrain(of: self)
    }

    func sendStream(_ stream: SendStream, peerStoppedSending code: UInt64) {
        guard let peer = self.peer else { return }
        peer.note("stopped", self.id.rawValue, code)
        peer.expect(!self.phase.isOver, .afterEnd, "stream \(self.id) is stopped after its end (\(self.phase))")
        self.phase = .stopped
        self.held = nil
        peer.expect(
            code == ChaosPeer.stopCode(of: self.id) || code == 0,
            .code,
            "stream \(self.id) was stopped with \(code), which nobody said"
        )
        peer.expect(stream.isClosed, .end, "stream \(self.id) was stopped and is not closed")
        self.misuse()
        peer.reactToStop(of: self)
    }

    func sendStreamDidComplete(_ stream: SendStream) {
        guard let peer = self.peer else { return }
        peer.note("complete", self.id.rawValue, stream.isDelivered ? 1 : 0)
        peer.expect(!self.phase.isOver, .once, "stream \(self.id) completes after its end (\(self.phase))")
        peer.expect(
            !stream.isDelivered || self.phase == .finished,
            .end,
            "stream \(self.id) is delivered and was not finished"
        )
        self.phase = .complete(isDelivered: stream.isDelivered)
        self.held = nil
        self.misuse()
        if peer.context.isDue(.completeTwice) { self.sendStreamDidComplete(stream) }
    }
}
