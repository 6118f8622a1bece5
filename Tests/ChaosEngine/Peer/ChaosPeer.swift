// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import WebTransport

/// One side of a session: does what its script says, reacts to what happens, and checks everything it is told. (loop)
///
/// Keeps itself alive through the session, whose handler it is, and lets go of the session when it is told of the end.
final class ChaosPeer: WebTransportHandler {
    let context: EpisodeContext
    let loop: PacketLoop
    let name: String
    /// What the random choices of this side are drawn from.
    let seed: UInt64
    /// What this side's streams and datagrams are marked with.
    let key: UInt64
    /// Who hears of everything that happens, in a run that is to be the same every time.
    let trace: TraceDigest?

    private(set) var session: (any WebTransportSession)?
    private(set) var peerKey: UInt64?
    private(set) var isSettled = false
    private(set) var isOver = false

    private let script: PeerScript
    private var number = 0
    private var nextStep = 0
    private var begin = LoopInstant(microseconds: 0)
    private var timer: LoopTimer?
    private var writers: [StreamID: ChaosWriter] = [:]
    private var readers: [StreamID: ChaosReader] = [:]
    private var reactions = 0
    private var datagrams = DatagramLedger()
    private var hasListened = false
    /// How many tasks wait for something of this side.
    var waits = 0
    /// Whether this side opens no more streams.
    var hasDrained = false

    init(
        _ session: any WebTransportSession,
        loop: PacketLoop,
        script: PeerScript,
        seed: UInt64,
        name: String,
        context: EpisodeContext,
        trace: TraceDigest? = nil
    ) {
        self.session = session
        self.loop = loop
        self.script = script
        self.seed = seed
        self.key = ChaosRandom.mix(seed, 0x6b_6579)
        self.name = name
        self.context = context
        self.trace = trace
    }

    /// Takes up the session: now, or a little later, as the script says. What comes before that is kept for the handler.
    func start() {
        self.context.watch(self, "the handler of \(self.name)")
        if let session = self.session { self.context.watch(session, "the session of \(self.name)") }
        self.number = self.context.join(LoopBound(self, on: self.loop), name: self.name)
        self.begin = self.loop.now
        if self.context.isDue(.leakTimer) { self.loop.schedule(after: .seconds(3_600)) {} }
        if self.context.isDue(.spin) { Self.spin(on: self.loop) }
        guard !self.context.settlesNewcomers else {
            self.settle()
            return
        }
        guard self.script.handlerDelay > 0 else {
            self.listen()
            return
        }
        self.timer = self.loop.schedule(after: .milliseconds(self.script.handlerDelay)) { [weak self] in self?.listen()
        }
    }

    private func listen() {
        guard !self.hasListened else { return }
        self.hasListened = true
        self.context.listens(self.number)
        self.session?.handler = self
        guard !self.isOver else { return }
        self.scheduleNext()
    }

    private static func spin(on loop: PacketLoop) {
        loop.schedule(at: loop.now.advanced(by: .microseconds(10))) { Self.spin(on: loop) }
    }

    // MARK: - The script

    private func scheduleNext() {
        guard self.nextStep < self.script.steps.count, !self.isOver, !self.isSettled else { return }
        let time = self.begin.advanced(by: .microseconds(self.script.steps[self.nextStep].time))
        self.timer = self.loop.schedule(at: time) { [weak self] in self?.step() }
    }

    private func step() {
        guard !self.isOver, !self.isSettled else { return }
        let action = self.script.steps[self.nextStep].action
        self.nextStep += 1
        self.perform(action)
        self.scheduleNext()
    }

    private func perform(_ action: PeerScript.Action) {
        switch action {
        case .openUnidirectional(let shape): self.open(shape, isUnidirectional: true)
        case .openBidirectional(let shape): self.open(shape, isUnidirectional: false)
        case .write(let pick, let count): self.openWriter(pick)?.write(count)
        case .finish(let pick): self.openWriter(pick)?.finish()
        case .reset(let pick): self.openWriter(pick)?.reset()
        case .stop(let pick): self.openReader(pick)?.stop()
        case .pause(let pick, let milliseconds): self.openReader(pick)?.pause(milliseconds: milliseconds)
        case .setPriority(let pick, let value): self.openWriter(pick)?.setPriority(value)
        case .datagram(let count): self.sendDatagrams(1, count: count)
        case .datagrams(let number, let count): self.sendDatagrams(number, count: count)
        case .oversizeDatagram(let excess): self.sendOversizeDatagram(excess)
        case .emptyDatagram: self.sendEmptyDatagram()
        case .writeAfterFinish(let pick): self.anyWriter(pick)?.misuse()
        case .awaitRoom(let pick, let patience): self.awaitRoom(pick, patience)
        case .awaitCredit(let isUnidirectional, let shape, let patience):
            self.awaitCredit(isUnidirectional: isUnidirectional, shape, patience)
        case .drain(let patience): self.drain(patience)
        case .close(let code): self.close(code: code)
        }
    }

    func openWriter(_ pick: Int) -> ChaosWriter? {
        let open = self.writers.values.filter { !$0.phase.isOver }.sorted { $0.id < $1.id }
        return open.isEmpty ? nil : open[pick % open.count]
    }

    private func anyWriter(_ pick: Int) -> ChaosWriter? {
        let all = self.writers.values.sorted { $0.id < $1.id }
        return all.isEmpty ? nil : all[pick % all.count]
    }

    private func openReader(_ pick: Int) -> ChaosReader? {
        let open = self.readers.values.filter { !$0.phase.isOver }.sorted { $0.id < $1.id }
        return open.isEmpty ? nil : open[pick % open.count]
    }

    // MARK: - Doing

    /// Opens a stream and begins with it.
    func open(_ shape: StreamShape, isUnidirectional: Bool) {
        guard let session = self.session else { return }
        let priority = StreamPriority(rawValue: shape.priority)
        do throws(WebTransportError) {
            if isUnidirectional {
                self.use(try session.openUnidirectionalStream(priority: priority), shape: shape)
            } else {
                let stream = try session.openBidirectionalStream(priority: priority)
                self.read(stream.receive)
                self.use(stream.send, shape: shape)
            }
            self.context.count(isUnidirectional ? "unidirectional streams opened" : "bidirectional streams opened")
        } catch {
            self.judge(error, expected: self.hasDrained ? .sessionDraining : .streamLimit, "no stream can be opened")
            self.context.count("streams refused")
        }
    }

    private func use(_ stream: SendStream, shape: StreamShape) {
        self.context.watch(stream, "a sending stream of \(self.name)")
        if self.context.isDue(.leakStream) { self.context.keep(stream) }
        let writer = ChaosWriter(stream, shape: shape, peer: self)
        self.writers[stream.id] = writer
        if self.isSettled { writer.settle() } else { writer.begin() }
    }

    private func read(_ stream: ReceiveStream) {
        self.context.watch(stream, "a receiving stream of \(self.name)")
        self.expect(self.readers[stream.id] == nil, .once, "stream \(stream.id) is announced twice")
        let reader = ChaosReader(stream, peer: self)
        self.readers[stream.id] = reader
        if self.isSettled { reader.settle() } else { reader.begin() }
    }

    /// Sends datagrams that tell whose they are and how long.
    func sendDatagrams(_ number: Int, count: Int) {
        for _ in 0..<number {
            guard let session = self.session, !self.isOver else { return }
            let limit = session.maximumDatagramSize
            guard limit >= DatagramLedger.overhead else { return }
            let bytes = self.datagrams.next(key: self.key, count: min(count, limit))
            do throws(WebTransportError) {
                try session.sendDatagram(Bytes(bytes))
                self.datagrams.accepted += 1
                self.context.count("datagrams accepted")
            } catch {
                self.judge(error, expected: .sessionClosed, "a datagram was refused")
            }
        }
    }

    private func sendOversizeDatagram(_ excess: Int) {
        guard let session = self.session, !self.isOver else { return }
        let limit = session.maximumDatagramSize
        do throws(WebTransportError) {
            try session.sendDatagram(Bytes([UInt8](repeating: 0, count: limit + excess)))
            self.violate(.misuse, "a datagram of \(limit + excess) bytes was taken where \(limit) is the limit")
        } catch {
            let isRight = error.code == .datagramTooLarge && (error.limit ?? 0) <= limit
            self.expect(isRight || limit == 0, .misuse, "an oversize datagram failed with \(error)")
            self.context.count("oversize datagrams")
        }
    }

    private func sendEmptyDatagram() {
        guard let session = self.session, !self.isOver else { return }
        do throws(WebTransportError) {
            try session.sendDatagram(Bytes())
            self.violate(.misuse, "an empty datagram was taken")
        } catch {
            let codes: [WebTransportError.Code] = [.invalidState, .datagramsUnsupported]
            self.expect(codes.contains(error.code), .misuse, "an empty datagram failed with \(error)")
        }
    }

    /// Ends the session; everybody is told before this returns.
    func close(code: UInt64) {
        guard let session = self.session else { return }
        self.context.count("sessions closed")
        self.note("close", code, 0)
        session.close(code: code, reason: Self.reason(of: code))
        self.expectEnd("it was closed")
    }

    /// Accepts that a call failed because of `expected`, or because the session is over, of which this side is being told.
    func judge(_ error: WebTransportError, expected: WebTransportError.Code, _ what: String) {
        if error.code == .sessionClosed {
            self.expectEnd("\(what) any more")
        } else {
            self.expect(error.code == expected, .misuse, "\(what): \(error)")
        }
    }

    /// Sees to it that the handler has been told of the end when whatever is under way has returned.
    private func expectEnd(_ why: String) {
        guard !self.isOver, self.hasListened else { return }
        self.loop.schedule(at: self.loop.now) { [weak self] in
            guard let self else { return }
            self.expect(self.isOver, .told, "\(why), and the handler was not told of the end")
        }
    }

    /// Ends every stream and wants everything that is under way.
    func settle() {
        guard !self.isSettled, !self.isOver else { return }
        self.isSettled = true
        self.timer?.cancel()
        self.listen()
        for writer in self.writers.values.sorted(by: { $0.id < $1.id }) { writer.settle() }
        for reader in self.readers.values.sorted(by: { $0.id < $1.id }) { reader.settle() }
    }

    /// Whether every stream has come to its end; what has not, otherwise.
    var unfinished: String? {
        guard !self.isOver, let session = self.session else { return nil }
        if let writer = self.writers.values.first(where: { !$0.phase.isOver }) {
            return "\(self.name): stream \(writer.id), \(writer.accepted) bytes accepted, is \(writer.phase)"
        }
        if let reader = self.readers.values.first(where: { !$0.phase.isOver }) {
            return "\(self.name): stream \(reader.id), \(reader.checker.count) bytes received, is \(reader.phase)"
        }
        let live = session.statistics.streamsLive
        return live == 0 ? nil : "\(self.name): \(live) streams live that nobody knows of"
    }

    // MARK: - Reacting

    /// The direction of a stream that this side sends on.
    func writer(of id: StreamID) -> ChaosWriter? { self.writers[id] }

    /// Opens streams from inside a callback; what they are like depends on the stream that the callback was for.
    func openFromInside(_ cause: StreamID, number: Int) {
        for index in 0..<number {
            guard self.reactions < self.script.reactionLimit, !self.isSettled else { return }
            self.reactions += 1
            var random = ChaosRandom(seed: self.seed, 0x696e_7369, cause.rawValue, UInt64(index))
            let shape = StreamShape(from: &random, limit: self.script.streamLimit)
            self.open(shape, isUnidirectional: random.chance(perMille: 500))
            self.context.count("streams opened in callbacks")
        }
    }

    /// Does something inside a drain, rarely.
    func reactToDrain(of writer: ChaosWriter) {
        guard !self.isSettled else { return }
        var random = ChaosRandom(seed: self.seed, 0x6472_6169, writer.id.rawValue, writer.accepted)
        switch random.below(400) {
        case 0: self.close(code: writer.id.rawValue)
        case ..<10: self.openFromInside(writer.id, number: 1)
        case ..<16: writer.reset()
        case ..<30: self.openWriter(random.below(1_000))?.write(random.size(upTo: 5_000))
        case ..<40: writer.setPriority(UInt8(truncatingIfNeeded: random.next()))
        case ..<50: self.sendDatagrams(1, count: 50)
        case ..<54: self.openReader(random.below(1_000))?.stop()
        default: break
        }
    }

    /// Does something when the peer did not want a stream.
    func reactToStop(of writer: ChaosWriter) {
        var random = ChaosRandom(seed: self.seed, 0x7374_6f70, writer.id.rawValue)
        if random.chance(perMille: 200) { self.openFromInside(writer.id, number: 1) }
        if random.chance(perMille: 5), !self.isSettled { self.close(code: 1) }
    }

    // MARK: - Being told

    func transport(_ transport: any WebTransportSession, didOpen stream: ReceiveStream) {
        self.announced(stream, reply: nil)
    }

    func transport(_ transport: any WebTransportSession, didOpen stream: BidirectionalStream) {
        self.announced(stream.receive, reply: stream.send)
    }

    private func announced(_ stream: ReceiveStream, reply: SendStream?) {
        self.note("open", stream.id.rawValue, 0)
        self.expect(!self.isOver, .afterEnd, "stream \(stream.id) is announced after the end")
        self.expect((reply == nil) == stream.id.isUnidirectional, .accepted, "stream \(stream.id) has the wrong kind")
        self.context.count("streams accepted")
        if let reply {
            var random = ChaosRandom(seed: self.seed, 0x7265_706c, stream.id.rawValue)
            self.use(reply, shape: StreamShape(from: &random, limit: self.script.streamLimit))
        }
        guard !self.isOver else { return }
        self.read(stream)
        guard !self.isSettled else { return }
        var random = ChaosRandom(seed: self.seed, 0x616e_6e6f, stream.id.rawValue)
        switch random.below(400) {
        case 0: self.close(code: 0x6f70_656e)
        case ..<12: self.readers[stream.id]?.stop()
        case ..<24: self.openFromInside(stream.id, number: 1)
        default: break
        }
    }

    func transport(_ transport: any WebTransportSession, didReceiveDatagram bytes: RawSpan) {
        var array = Bytes(copying: bytes).array
        self.note("datagram", UInt64(array.count), 0)
        self.expect(!self.isOver, .afterEnd, "a datagram comes after the end")
        if self.context.isDue(.alterDatagram) { array[array.count / 2] ^= 4 }
        let isRepeated = self.context.isDue(.repeatDatagram)
        for _ in 0..<(isRepeated ? 2 : 1) {
            switch self.datagrams.receive(array) {
            case .success(let key): self.hears(key)
            case .failure(let complaint): self.violate(.datagram, complaint.text)
            }
        }
    }

    func transport(_ transport: any WebTransportSession, didClose info: WebTransportCloseInfo) {
        self.note("closed", info.code, 0)
        if self.context.isDue(.loseClose) { return }
        self.expect(!self.isOver, .once, "the handler is told of the end twice")
        self.isOver = true
        self.timer?.cancel()
        self.checkEnd(of: transport)
        var told = info
        if self.context.isDue(.alterCloseCode, if: info.origin == .peer) { told.code &+= 1 }
        let report = PeerReport(
            name: self.name,
            key: self.key,
            peerKey: self.peerKey,
            info: told,
            sent: self.writers.mapValues {
                PeerReport.Sent(accepted: $0.accepted, phase: $0.phase, hasEndWritten: $0.hasEndWritten)
            },
            received: self.readers.mapValues {
                PeerReport.Received(key: $0.checker.key, count: $0.checker.count, phase: $0.phase)
            },
            datagramsAccepted: self.datagrams.accepted,
            datagramsReceived: self.datagrams.received
        )
        self.context.leave(self.number, report)
        if self.context.isDue(.leakSession) { self.context.keep(transport) }
        // Often enough these are the last references.
        self.session = nil
        self.writers = [:]
        self.readers = [:]
        if self.context.isDue(.closeTwice) { self.transport(transport, didClose: info) }
    }

    private func checkEnd(of transport: any WebTransportSession) {
        for writer in self.writers.values.sorted(by: { $0.id < $1.id }) {
            self.expect(
                writer.phase.isOver,
                .told,
                "the writer of stream \(writer.id) is not told of the session's end"
            )
        }
        // In order, as everything that the digest hears of.
        for reader in self.readers.values.sorted(by: { $0.id < $1.id }) where !reader.phase.isOver {
            // Whoever comes late is told as well; a task is told when it has its turn.
            guard !reader.isTask else { continue }
            reader.settle()
            self.expect(
                reader.phase.isOver,
                .told,
                "the reader of stream \(reader.id) is not told of the session's end"
            )
        }
        let statistics = transport.statistics
        self.context.count("streams ready", Int(clamping: statistics.activations))
        self.context.count("streams asked in vain", Int(clamping: statistics.emptyOffers))
        let left = [
            ("streams", statistics.streamsLive), ("queued bytes", statistics.queuedByteCount),
            ("buffered bytes", statistics.bufferedByteCount), ("datagrams", statistics.datagramsQueued),
        ]
        for (what, count) in left where count != 0 {
            self.violate(.counters, "\(count) \(what) after the end")
        }
        // In twenty thousand times none was in vain; one that crosses with a reset would be no fault.
        self.context.check(
            statistics.emptyOffers <= statistics.activations,
            .spin,
            "\(self.name) was asked \(statistics.emptyOffers) times in vain, ready \(statistics.activations) times"
        )
        self.expectClosed(transport)
    }

    private func expectClosed(_ transport: any WebTransportSession) {
        do throws(WebTransportError) {
            _ = try transport.openUnidirectionalStream(priority: .default)
            self.violate(.misuse, "a stream can be opened after the end")
        } catch {
            self.expect(error.code == .sessionClosed, .misuse, "opening a stream after the end failed with \(error)")
        }
        do throws(WebTransportError) {
            try transport.sendDatagram([1])
            self.violate(.misuse, "a datagram is taken after the end")
        } catch {
            self.expect(error.code == .sessionClosed, .misuse, "a datagram after the end failed with \(error)")
        }
        transport.close(code: 1, reason: "again")
    }

    // MARK: - Checking

    /// Takes note whose streams and datagrams arrive: they must all be of one and the same side.
    func hears(_ key: UInt64) {
        self.expect(self.peerKey == nil || self.peerKey == key, .accepted, "something of another session arrived")
        self.peerKey = key
    }

    func violate(_ invariant: Invariant, _ seen: String) {
        self.context.violate(invariant, "\(self.name): \(seen)")
    }

    func expect(_ condition: Bool, _ invariant: Invariant, _ seen: @autoclosure () -> String) {
        guard !condition else { return }
        self.violate(invariant, seen())
    }

    func note(_ event: StaticString, _ first: UInt64, _ second: UInt64) {
        self.trace?.add(event, self.number, first, second, at: self.loop.now)
    }

    // MARK: - Codes

    /// The code that a stream is reset with, and no other stream.
    static func resetCode(of id: StreamID) -> UInt64 { 0x7000_0000 + id.rawValue }

    /// The code that a stream is stopped with, and no other stream.
    static func stopCode(of id: StreamID) -> UInt64 { 0x5000_0000 + id.rawValue }

    /// The words that go with the code of a close.
    static func reason(of code: UInt64) -> String { code == 0 ? "" : "chaos \(code)" }
}
