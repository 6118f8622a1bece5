// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import PacketLoop
internal import WebTransport

/// The reader of `moq bench slow-reader`: reads nothing for a while, says what it holds then, reads everything. (loop)
final class SlowReader: SendStreamDelegate {
    private let session: any WebTransportSession
    private let loop: PacketLoop
    private let window: Int
    private let expected: UInt64
    private let streamCount: Int
    private let outcome: Outcome<StatisticsReport>
    private let reader = BenchReader()
    private let memory: MemoryWatch
    private var isPaused = true
    private var isTimed = false
    private var held = 0
    private var mostWhilePaused = 0
    private var signal: SendStream?

    /// Waits for the first stream.
    init(
        _ session: any WebTransportSession,
        loop: PacketLoop,
        expecting expected: UInt64,
        in streamCount: Int,
        pause: Duration,
        outcome: Outcome<StatisticsReport>
    ) {
        self.session = session
        self.loop = loop
        self.window = WebTransportConfiguration().sessionReceiveWindow
        self.expected = expected
        self.streamCount = streamCount
        self.outcome = outcome
        self.memory = MemoryWatch(loop: loop)
        self.reader.opened = { [weak self] stream in self?.opened(stream, pause: pause) }
        self.reader.finished = { [weak self] _ in self?.finishIfComplete() }
        self.reader.closed = { info in outcome.fail(CommandFailure("the session ended too early: \(info)")) }
        session.handler = self.reader
    }

    private func opened(_ stream: ReceiveStream, pause: Duration) {
        guard self.isPaused else { return }
        stream.pause()
        guard !self.isTimed else { return }
        self.isTimed = true
        self.loop.schedule(after: pause) { [weak self] in self?.endPause() }
    }

    /// How long nothing may have arrived before the writer counts as stopped.
    private static let stillness = Duration.milliseconds(500)

    /// The pause lasts until the writer has stopped: on a slow machine it may take longer to fill the windows.
    private func endPause() {
        let held = self.session.statistics.bufferedByteCount
        guard held == self.held else {
            self.held = held
            self.loop.schedule(after: Self.stillness) { [weak self] in self?.endPause() }
            return
        }
        self.tellWriter()
    }

    /// Tells the writer that the pause is over, so that it can say what it had sent by then. Reading begins when the
    /// writer is known to have heard of it.
    private func tellWriter() {
        self.memory.update()
        self.mostWhilePaused = self.memory.most
        do {
            let signal = try self.session.openUnidirectionalStream(priority: .control)
            self.signal = signal
            signal.delegate = self
            try signal.write([1])
            try signal.finish()
        } catch {
            self.outcome.fail(CommandFailure("\(error)"))
        }
    }

    private func resume() {
        self.isPaused = false
        for stream in self.reader.streams.values.sorted(by: { $0.id < $1.id }) {
            stream.resume()
        }
    }

    private func finishIfComplete() {
        guard self.reader.finishedCount == self.streamCount else { return }
        self.memory.update()
        self.memory.stop()
        if let complaint = self.reader.complaint {
            self.outcome.fail(CommandFailure(complaint))
            return
        }
        guard self.reader.byteCount == self.expected else {
            self.outcome.fail(CommandFailure("\(self.reader.byteCount) bytes arrived instead of \(self.expected)"))
            return
        }
        var report = StatisticsReport()
        report.add(
            "reader",
            [
                "window": .of(self.window), "held": .of(self.held), "bytes": .of(self.reader.byteCount),
                "resident_before_kib": .of(self.memory.before), "resident_paused_kib": .of(self.mostWhilePaused),
                "resident_most_kib": .of(self.memory.most),
            ]
        )
        // The writer closes when it knows that all has arrived.
        let outcome = self.outcome
        self.reader.closed = { _ in outcome.succeed(report) }
    }

    func sendStreamDidDrain(_ stream: SendStream) {
        // One byte is all there is.
    }

    func sendStream(_ stream: SendStream, peerStoppedSending code: UInt64) {
        self.outcome.fail(CommandFailure("the writer did not listen"))
    }

    func sendStreamDidComplete(_ stream: SendStream) {
        guard stream.isDelivered else { return }
        self.resume()
    }
}
