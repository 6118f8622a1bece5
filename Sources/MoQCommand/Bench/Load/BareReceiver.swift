// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import WebTransport

/// Takes the payloads that a ``BareSender`` writes, and counts them like a subscriber of a load. (loop)
final class BareReceiver {
    private let session: any WebTransportSession
    private let size: Int
    private let events: LoadEvents
    private let tally: LoadTally
    private var window = SequenceWindow()
    private var reader = LoadStamp.Reader()
    /// How many bytes of the next payload are there.
    private var filled = 0
    private var isOver = false
    private var endedCount = 0

    /// Reads from the first byte on.
    init(_ session: any WebTransportSession, plan: LoadPlan, events: LoadEvents) {
        self.session = session
        self.size = plan.size
        self.events = events
        self.tally = LoadTally(size: plan.size, lateAfter: BenchClock.nanoseconds(plan.lateAfter))
        session.handler = self
    }

    /// The load begins.
    func start(_ schedule: LoadSchedule) {
        self.tally.schedule = schedule
    }

    /// What it has received so far.
    var figures: LoadCrowd.Figures {
        LoadCrowd.Figures(
            time: BenchClock.now,
            threadCPU: BenchClock.threadCPU,
            objects: self.tally.objects,
            bytes: self.tally.bytes,
            delivered: self.tally.delivered,
            duplicated: self.tally.duplicated,
            tooOld: self.tally.tooOld,
            late: self.tally.late,
            corrupt: self.tally.corrupt,
            ended: self.endedCount,
            slowEnded: 0
        )
    }

    /// How long payloads took.
    var latency: LatencyHistogram { self.tally.latency }

    /// Closes the session.
    func close() {
        self.isOver = true
        self.session.close(code: 0, reason: "")
    }

    private func end(_ reason: String) {
        guard !self.isOver else { return }
        self.isOver = true
        self.endedCount = 1
        self.events.fail(CommandFailure("the receiver's stream was lost: \(reason)"))
    }
}

extension BareReceiver: WebTransportHandler {
    func transport(_ transport: any WebTransportSession, didOpen stream: ReceiveStream) {
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
        self.end("\(info)")
    }
}

extension BareReceiver: ReceiveStreamReader {
    func receiveStream(_ stream: ReceiveStream, didReceive bytes: RawSpan, isFinished: Bool) -> Int {
        var offset = 0
        while offset < bytes.byteCount {
            let count = min(self.size - self.filled, bytes.byteCount - offset)
            if self.filled == 0 { self.reader.begin() }
            self.reader.take(bytes.extracting(offset..<offset + count))
            self.filled += count
            offset += count
            if self.filled == self.size {
                self.filled = 0
                self.tally.count(self.reader.stamp, length: UInt64(self.size), in: &self.window)
            }
        }
        if isFinished, self.filled > 0 {
            self.tally.countCorrupt()
        }
        return bytes.byteCount
    }

    func receiveStream(_ stream: ReceiveStream, wasResetWith code: UInt64) {
        self.end("it was reset with \(code)")
    }

    func receiveStreamSessionClosed(_ stream: ReceiveStream) {
        // The session's end is told by itself.
    }
}
