// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire
internal import PacketLoop
internal import WebTransport

/// Receives a track, puts it in order, and hands the bytes on in batches. (loop)
final class TrackReceiver: TrackConsumer {
    /// How long missing objects are waited for before what follows them is written.
    static let patience = Duration.milliseconds(500)

    private let loop: PacketLoop
    private let output: OutputBatcher
    private let ended: (TrackEnd) -> Void
    private let reassembler: TrackReassembler
    private var patienceTimer: LoopTimer?
    private var latency = LatencySamples()
    private var began: LoopInstant
    private var streamCount: UInt64 = 0
    private var missingStreamCount: UInt64 = 0
    private var datagramCount: UInt64 = 0
    private var joinedAfter: Location?

    /// Makes a receiver.
    /// - Parameters:
    ///   - holding: how many bytes may wait for earlier ones.
    ///   - measuresLatency: whether payloads that are ticks of a clock are compared with the time.
    ///   - deliver: takes the output in order, in batches.
    ///   - overflowed: called once when more would have to be held than is allowed.
    ///   - ended: called once when the track ended, after everything was delivered.
    init(
        loop: PacketLoop,
        holding: Int,
        measuresLatency: Bool,
        deliver: @escaping ([Bytes]) -> Void,
        overflowed: @escaping () -> Void,
        ended: @escaping (TrackEnd) -> Void
    ) {
        self.loop = loop
        let output = OutputBatcher(loop: loop, deliver: deliver)
        self.output = output
        self.ended = ended
        self.began = loop.now
        self.reassembler = TrackReassembler(limit: holding, output: { output.append($0) }, overflowed: overflowed)
        self.reassembler.streamEnded = { [weak self] in
            self?.watchForGaps()
        }
        if measuresLatency {
            self.reassembler.observe = { [weak self] payload in
                self?.measure(payload)
            }
        }
    }

    /// The subscription was accepted.
    func subscribed(_ answer: SubscribeOk) {
        self.began = self.loop.now
        self.joinedAfter = answer.largestObject
        self.reassembler.startsAfter(largest: answer.largestObject)
    }

    /// How many bytes of payload arrived.
    var byteCount: UInt64 {
        self.reassembler.byteCount
    }

    /// What was received so far.
    var report: ReceptionReport {
        var report = ReceptionReport()
        report.byteCount = self.reassembler.byteCount
        report.objectCount = self.reassembler.objectCount
        report.groupCount = self.reassembler.groupCount
        report.seconds = Quantity.seconds(self.began.duration(to: self.loop.now))
        report.latency = self.latency
        report.losses = self.reassembler.losses
        report.usesDatagrams = self.datagramCount > 0
        report.joinedAfter = self.joinedAfter
        report.missingStreamCount = self.missingStreamCount
        return report
    }

    /// Writes what is held, gaps or not, and hands the last batch on.
    func finish() {
        self.reassembler.finish()
        self.patienceTimer?.cancel()
        self.output.flush()
    }

    /// Nothing more is wanted: hands the last batch on, and leaves out what waits for something before it.
    func stop() {
        self.reassembler.stop()
        self.patienceTimer?.cancel()
        self.output.flush()
    }

    func beginSubgroup(_ subgroup: SubgroupDescription) -> (any SubgroupConsumer)? {
        self.streamCount &+= 1
        let intake = self.reassembler.open(group: subgroup.group, endsGroup: subgroup.containsEndOfGroup)
        self.watchForGaps()
        return intake
    }

    func receive(_ datagram: ObjectDatagram, payload: Bytes) {
        self.datagramCount &+= 1
        self.reassembler.receive(datagram: datagram, payload: payload)
        self.watchForGaps()
    }

    func trackEnded(_ end: TrackEnd) {
        if let announced = end.streamCount, announced > self.streamCount {
            self.missingStreamCount = announced - self.streamCount
        }
        self.finish()
        self.ended(end)
    }

    private func measure(_ payload: Bytes) {
        guard payload.count <= ClockStamp.length + 2, let stamp = ClockStamp(parsing: payload.span) else { return }
        self.latency.record(Double(ClockStamp.microsecondsNow() - stamp.milliseconds * 1_000) / 1_000)
    }

    // MARK: - Gaps

    /// Makes sure that what is held does not wait forever for something that never comes.
    private func watchForGaps() {
        guard self.patienceTimer == nil, self.reassembler.isWaiting else { return }
        let progress = self.reassembler.progress
        self.patienceTimer = self.loop.schedule(after: Self.patience) { [weak self] in
            self?.patienceEnded(progress: progress)
        }
    }

    private func patienceEnded(progress: UInt64) {
        self.patienceTimer = nil
        if self.reassembler.progress == progress {
            self.reassembler.settle()
        }
        self.watchForGaps()
    }
}
