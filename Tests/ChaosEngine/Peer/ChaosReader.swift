// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import WebTransport

/// Reads one stream according to its temper and checks every byte and every end. (loop)
final class ChaosReader: ReceiveStreamReader {
    /// Where the stream stands, as far as its reader was told.
    enum Phase: Sendable, Hashable, Codable {
        case open
        case finished
        case reset
        /// This side did not want the rest.
        case stopped
        case sessionClosed

        var isOver: Bool { self != .open }
    }

    let id: StreamID
    private(set) var phase = Phase.open
    private(set) var checker: PatternChecker

    weak let peer: ChaosPeer?
    private weak let stream: ReceiveStream?
    /// The stream, while it does not know its reader: who wants to hear of the end has to hold on to one of them.
    var held: ReceiveStream?
    let temper: ReaderTemper
    var random: ChaosRandom
    private var hasReacted = false
    var hasTask = false
    var isSettled = false
    private var isStalled = false
    private var timer: LoopTimer?

    init(_ stream: ReceiveStream, peer: ChaosPeer) {
        self.id = stream.id
        self.peer = peer
        self.stream = stream
        self.held = stream
        self.checker = PatternChecker(stream: stream.id.rawValue)
        // By the stream, not by the order in which streams come: the same in every run.
        self.random = ChaosRandom(seed: peer.seed, 0x72_6561_6465_7200, stream.id.rawValue)
        self.temper = ReaderTemper(from: &self.random)
    }

    deinit {
        self.timer?.cancel()
    }

    /// Whether a task reads, which learns of an end a little after it has come.
    var isTask: Bool { self.temper.isTask }

    /// Installs the reader, at once or a little later.
    func begin() {
        guard self.temper.lateness > 0, !self.isSettled else {
            self.install()
            return
        }
        self.later(milliseconds: self.temper.lateness)
    }

    func install() {
        guard let stream = self.stream else { return }
        self.held = nil
        if self.isTask { self.beginToRead(stream) } else { stream.reader = self }
    }

    func later(milliseconds: Int) {
        guard let peer = self.peer, !self.isSettled else {
            self.revive()
            return
        }
        self.timer?.cancel()
        self.timer = peer.loop.schedule(after: .milliseconds(milliseconds)) { [weak self] in self?.revive() }
    }

    /// Asks for what was left, whatever the stream was waiting for.
    private func revive() {
        guard let stream = self.stream, !self.phase.isOver, !self.isStalled else { return }
        self.timer = nil
        if self.isTask ? !self.hasTask : stream.reader == nil {
            self.install()
        } else {
            stream.pause()
        }
        stream.resume()
    }

    // MARK: - Doing

    /// Says that the rest is not wanted.
    func stop() {
        // A stream whose last bytes a task has taken is over, even if the task has not asked again.
        guard !self.phase.isOver, let stream = self.stream, !stream.isClosed else { return }
        self.phase = .stopped
        self.held = nil
        self.peer?.context.count("streams stopped")
        stream.stopSending(code: ChaosPeer.stopCode(of: self.id))
        self.peer?.expect(stream.isClosed, .end, "stream \(self.id) was stopped and is not closed")
    }

    /// Reads nothing for a while.
    func pause(milliseconds: Int) {
        guard !self.phase.isOver, !self.isSettled else { return }
        self.peer?.context.count("pauses")
        self.stream?.pause()
        self.later(milliseconds: milliseconds)
    }

    /// Reads everything from now on.
    func settle() {
        guard !self.isSettled else { return }
        if self.peer?.context.isDue(.stall) == true, !self.phase.isOver {
            self.isStalled = true
            self.stream?.pause()
            self.timer?.cancel()
            return
        }
        self.isSettled = true
        self.timer?.cancel()
        self.revive()
    }

    // MARK: - Being told

    func receiveStream(_ stream: ReceiveStream, didReceive bytes: RawSpan, isFinished: Bool) -> Int {
        var array = Bytes(copying: bytes).array
        if !isFinished, !self.isSettled, self.random.chance(perMille: self.temper.partial) {
            array = Array(array.prefix(self.random.below(array.count + 1)))
            self.later(milliseconds: self.temper.delay)
        }
        self.take(array, isFinished: isFinished, of: bytes.byteCount, from: stream)
        return array.count
    }

    /// Checks what is used of the `count` bytes that were delivered.
    func take(_ bytes: [UInt8], isFinished: Bool, of count: Int, from stream: ReceiveStream) {
        guard let peer = self.peer else { return }
        peer.note("data", self.id.rawValue, UInt64(count))
        peer.expect(!self.phase.isOver, .afterEnd, "stream \(self.id) delivers after its end (\(self.phase))")
        peer.expect(count > 0 || isFinished, .order, "stream \(self.id) delivers nothing")
        var array = bytes
        let used = array.count
        var isFinished = isFinished
        if peer.context.isDue(.cutStream, if: used > 1 && !isFinished) { isFinished = true }
        if peer.context.isDue(.dropByte, if: used > 0) { array.removeFirst() }
        if peer.context.isDue(.repeatDelivery, if: used > 0) { array += array }
        if let complaint = self.checker.take(array) { self.complain(.order, complaint) }
        if let key = self.checker.key { peer.hears(key) }
        if isFinished {
            self.phase = .finished
            if let complaint = self.checker.finish() { self.complain(.end, complaint) }
            if peer.context.isDue(.speakAfterEnd) { self.take([], isFinished: true, of: 0, from: stream) }
        }
        self.reactIfDue(stream)
    }

    func receiveStream(_ stream: ReceiveStream, wasResetWith code: UInt64) {
        self.peer?.note("reset", self.id.rawValue, code)
        self.end(as: .reset)
        self.peer?.expect(
            code == ChaosPeer.resetCode(of: self.id) || code == ChaosPeer.stopCode(of: self.id) || code == 0,
            .code,
            "stream \(self.id) was reset with \(code), which nobody said"
        )
    }

    func receiveStreamSessionClosed(_ stream: ReceiveStream) {
        self.peer?.note("over", self.id.rawValue, 0)
        if self.peer?.context.isDue(.loseReaderEnd) == true { return }
        self.end(as: .sessionClosed)
    }

    private func end(as phase: Phase) {
        self.peer?.expect(!self.phase.isOver, .once, "stream \(self.id) ends (\(phase)) after its end (\(self.phase))")
        self.phase = phase
    }

    private func complain(_ invariant: Invariant, _ text: String) {
        self.peer?.violate(invariant, "stream \(self.id): \(text)")
    }

    private func reactIfDue(_ stream: ReceiveStream) {
        guard !self.hasReacted, !self.isSettled, let peer = self.peer else { return }
        guard self.checker.count >= UInt64(self.temper.reactionOffset) else { return }
        self.hasReacted = true
        switch self.temper.reaction {
        case .none: break
        case .stop: self.stop()
        case .closeSession: peer.close(code: 0x636c_6f73 + self.id.rawValue)
        case .openStream: peer.openFromInside(self.id, number: 1)
        case .openMany: peer.openFromInside(self.id, number: 5)
        case .sendDatagram: peer.sendDatagrams(1, count: 100)
        case .pause: self.pause(milliseconds: self.temper.delay)
        case .dropReader where self.isTask:
            self.pause(milliseconds: self.temper.delay)
        case .dropReader:
            stream.reader = nil
            self.held = stream
            if !self.phase.isOver { self.later(milliseconds: self.temper.delay) }
        case .resetReply: peer.writer(of: self.id)?.reset()
        }
    }
}
