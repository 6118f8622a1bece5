// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import PacketLoop
internal import WebTransport

/// The writer of `moq bench slow-reader`: sends as fast as it can, and says how far it came while nobody read. (loop)
final class SlowReaderPeer: WebTransportHandler {
    private let session: any WebTransportSession
    private let memory: MemoryWatch
    private let outcome: Outcome<StatisticsReport>
    private var writer: BenchWriter?
    private var taken: UInt64 = 0
    private var queued = 0
    private var mostWhilePaused = 0

    /// Begins at once.
    init(
        _ session: any WebTransportSession,
        loop: PacketLoop,
        streams: Int,
        byteCount: UInt64,
        outcome: Outcome<StatisticsReport>
    ) {
        self.session = session
        self.outcome = outcome
        self.memory = MemoryWatch(loop: loop)
        session.handler = self
        do {
            self.writer = try BenchWriter(
                session,
                streams: streams,
                byteCount: byteCount,
                priority: StreamPriority(rawValue: 20)
            ) { [weak self] isDelivered in
                self?.finish(isDelivered: isDelivered)
            }
        } catch {
            outcome.fail(CommandFailure("\(error)"))
        }
    }

    private func finish(isDelivered: Bool) {
        guard isDelivered else {
            self.outcome.fail(CommandFailure("not everything was delivered"))
            return
        }
        self.memory.update()
        self.memory.stop()
        var report = StatisticsReport()
        report.add(
            "writer",
            [
                "sent_while_paused": .of(self.taken), "queued_while_paused": .of(self.queued),
                "bytes": .of(self.writer?.byteCount ?? 0), "resident_before_kib": .of(self.memory.before),
                "resident_paused_kib": .of(self.mostWhilePaused), "resident_most_kib": .of(self.memory.most),
            ]
        )
        self.outcome.succeed(report)
    }

    /// The reader says that its pause is over.
    func transport(_ transport: any WebTransportSession, didOpen stream: ReceiveStream) {
        let statistics = self.session.statistics
        self.taken = statistics.streamBytesTaken
        self.queued = statistics.queuedByteCount
        self.memory.update()
        self.mostWhilePaused = self.memory.most
        stream.reader = self
    }

    func transport(_ transport: any WebTransportSession, didOpen stream: BidirectionalStream) {
        stream.receive.stopSending(code: 0)
        stream.send.reset(code: 0)
    }

    func transport(_ transport: any WebTransportSession, didReceiveDatagram bytes: RawSpan) {
        // None are sent here.
    }

    func transport(_ transport: any WebTransportSession, didClose info: WebTransportCloseInfo) {
        self.outcome.fail(CommandFailure("the session ended too early: \(info)"))
    }
}

extension SlowReaderPeer: ReceiveStreamReader {
    func receiveStream(_ stream: ReceiveStream, didReceive bytes: RawSpan, isFinished: Bool) -> Int {
        bytes.byteCount
    }

    func receiveStream(_ stream: ReceiveStream, wasResetWith code: UInt64) {
        // What it said, it said by being opened.
    }

    func receiveStreamSessionClosed(_ stream: ReceiveStream) {
        // The session's end is told by itself.
    }
}
