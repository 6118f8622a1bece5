// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import PacketLoop
internal import WebTransport

/// Writes the payloads of a load on one stream as fast as they are taken, in the batches in which ``LoadPump`` does. (loop)
final class BareSender {
    /// How many batches are written before the loop does something else.
    private static let batchesPerTurn = 8

    private let session: any WebTransportSession
    private let loop: PacketLoop
    private let payloads: LoadPayloads
    private let events: LoadEvents
    private var schedule: LoadSchedule?
    private var stream: SendStream?
    private var timer: LoopTimer?
    private var isPumping = false
    private var isOver = false
    private var sent: (total: UInt64, measured: UInt64) = (0, 0)

    /// Waits for ``start(_:)``.
    init(_ session: any WebTransportSession, loop: PacketLoop, plan: LoadPlan, events: LoadEvents) {
        self.session = session
        self.loop = loop
        self.payloads = LoadPayloads(length: plan.size, inOnePiece: false)
        self.events = events
    }

    /// What it has done so far.
    var figures: LoadPublisher.Figures {
        LoadPublisher.Figures(
            total: self.sent.total,
            measured: self.sent.measured,
            due: self.sent.measured,
            isOver: self.isOver,
            threadCPU: BenchClock.threadCPU
        )
    }

    /// Begins to send.
    func start(_ schedule: LoadSchedule) {
        do {
            let stream = try self.session.openUnidirectionalStream(priority: StreamPriority(rawValue: 128))
            stream.delegate = self
            self.stream = stream
            self.schedule = schedule
            self.pump()
        } catch {
            self.fail("\(error)")
        }
    }

    /// Sends no more; the stream ends after what was written.
    func stop() {
        guard !self.isOver else { return }
        self.isOver = true
        self.timer?.cancel()
        try? self.stream?.finish()
    }

    /// Closes the session.
    func close() {
        self.stop()
        self.session.close(code: 0, reason: "")
    }

    /// Writes what there is room for. What it calls may call it again; that is left to the call that is running.
    private func pump() {
        guard !self.isPumping, !self.isOver, let schedule = self.schedule, let stream = self.stream,
            self.timer?.isScheduled != true
        else {
            return
        }
        self.isPumping = true
        defer { self.isPumping = false }
        for _ in 0..<Self.batchesPerTurn {
            // The stream says when it has drained.
            guard !stream.isAboveHighWatermark else { return }
            let now = BenchClock.now
            guard now >= schedule.start else {
                self.pump(after: .nanoseconds(Int64(schedule.start - now)))
                return
            }
            guard now < schedule.end else {
                self.stop()
                return
            }
            let count = self.payloads.batch
            let stamps = self.payloads.stamps(from: self.sent.total, count: count) { _ in now }
            do {
                for position in 0..<count {
                    try stream.write(self.payloads.head(position, of: stamps))
                    try stream.write(self.payloads.rest)
                }
            } catch {
                self.fail("\(error)")
                return
            }
            self.sent.total += UInt64(count)
            self.sent.measured += schedule.measures(now) ? UInt64(count) : 0
        }
        self.pump(after: .zero)
    }

    private func pump(after delay: Duration) {
        self.timer = self.loop.schedule(after: delay) { [weak self] in
            self?.pump()
        }
    }

    private func fail(_ reason: String) {
        guard !self.isOver else { return }
        self.isOver = true
        self.events.fail(CommandFailure("the stream cannot be written: \(reason)"))
    }
}

extension BareSender: SendStreamDelegate {
    func sendStreamDidDrain(_ stream: SendStream) {
        self.pump()
    }

    func sendStream(_ stream: SendStream, peerStoppedSending code: UInt64) {
        self.fail("the receiver stopped it with \(code)")
    }

    func sendStreamDidComplete(_ stream: SendStream) {
        if !stream.isDelivered {
            self.fail("the connection was lost")
        }
    }
}
