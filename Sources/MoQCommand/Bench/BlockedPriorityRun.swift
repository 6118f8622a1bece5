// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import PacketLoop
internal import PicoQuic
internal import WebTransport
internal import WebTransportPicoQuic

/// `moq bench blocked-priority`, running: two endpoints in this process, over sockets on loopback.
struct BlockedPriorityRun {
    private let command: BenchBlockedPriorityCommand

    /// Takes the options.
    init(_ command: BenchBlockedPriorityCommand) {
        self.command = command
    }

    /// Measures in pairs, each on new connections, and prints their ratios and the median of these.
    func run() async throws {
        let interrupted = Outcome<Int32>()
        SignalWatch.process.onStop { interrupted.succeed($0) }
        var ratios: [Double] = []
        for pair in 1...self.command.pairs {
            // Which comes first changes from pair to pair.
            let isBlockedFirst = pair.isMultiple(of: 2)
            var rates: [Bool: Double] = [:]
            for isBlocked in [isBlockedFirst, !isBlockedFirst] {
                rates[isBlocked] = try await self.measure(isBlocked: isBlocked)
                if case .success(let signal) = interrupted.result {
                    throw CommandFailure.interrupted(by: signal)
                }
            }
            let (alone, blocked) = (rates[false] ?? 0, rates[true] ?? 0)
            let ratio = alone > 0 ? blocked / alone : 0
            ratios.append(ratio)
            let figures = [alone, blocked].map { Quantity.decimal($0, digits: 0) }
            StandardStreams.say(
                "pair \(pair)  alone \(figures[0]) Mbit/s  beside a blocked stream \(figures[1]) Mbit/s  "
                    + "ratio \(Quantity.decimal(ratio, digits: 3))"
            )
        }
        ratios.sort()
        let median = (ratios[(ratios.count - 1) / 2] + ratios[ratios.count / 2]) / 2
        StandardStreams.say("median ratio  \(Quantity.decimal(median, digits: 3))")
    }

    /// One transfer on the lower streams.
    /// - Returns: Mbit/s.
    private func measure(isBlocked: Bool) async throws -> Double {
        let unit = UInt64(BenchPattern.unit)
        let streams = self.command.streams
        let share = max(1, UInt64(self.command.megabytes) * 1_000_000 / UInt64(streams) / unit) * unit
        let certificate: SelfSignedCertificate
        do throws(QUICError) {
            certificate = try SelfSignedCertificate()
        } catch {
            throw CommandFailure(error.message)
        }
        let connection = self.command.connection
        let prepared = Outcome<Void>()
        let arrived = Outcome<ContinuousClock.Instant>()
        let (receiving, sending) = (LoopCell<BlockedReceiver>(), LoopCell<BlockedSender>())
        let server = BenchEndpoint { configuration in
            configuration.credentials = .selfSigned(certificate)
            connection.apply(to: &configuration)
        } accept: { session, loop in
            receiving.set(
                BlockedReceiver(
                    session,
                    loop: loop,
                    pausesFirst: isBlocked,
                    streams: streams,
                    byteCount: UInt64(streams) * share,
                    prepared: prepared,
                    arrived: arrived
                ),
                on: loop
            )
        }
        let client = BenchEndpoint { configuration in
            configuration.verification = .pinned([certificate.fingerprint])
            connection.apply(to: &configuration)
        }
        let result: Result<Double, any Error>
        do {
            let port = try await server.start(on: .loopback(port: 0))
            _ = try await client.start()
            try await client.connect(to: "127.0.0.1", port: port) { session, loop in
                sending.set(BlockedSender(session), on: loop)
            }
            guard let sender = sending.bound else { throw CommandFailure("there is no session") }
            // Alone, too, the connection has carried that window before: both begin with the same experience.
            try await sender.loop.run { try sender.value.sendUrgent(beyondWindow: isBlocked) }
            try await prepared.value()
            let began = ContinuousClock.now
            try await sender.loop.run { try sender.value.sendLower(streams: streams, byteCount: share) }
            let seconds = Quantity.seconds(began.duration(to: try await arrived.value()))
            let isStillBlocked = try await sender.loop.run { sender.value.isBlocked }
            guard isStillBlocked == isBlocked else {
                throw CommandFailure("the urgent stream was not blocked until the end")
            }
            result = .success(seconds > 0 ? Double(UInt64(streams) * share) * 8e-6 / seconds : 0)
        } catch {
            result = .failure(error)
        }
        await client.stop()
        await server.stop()
        return try result.get()
    }
}

/// The sender of ``BlockedPriorityRun``. (loop)
private final class BlockedSender {
    private let session: any WebTransportSession
    private var urgent: SendStream?
    private var writer: BenchWriter?

    init(_ session: any WebTransportSession) {
        self.session = session
    }

    /// Whether the urgent stream has something to send and may not.
    var isBlocked: Bool {
        self.urgent.map { $0.queuedByteCount > 0 && !$0.isClosed } ?? false
    }

    /// Writes a window's worth on a stream that goes before everything else, and ends it; or twice as much.
    func sendUrgent(beyondWindow: Bool) throws {
        let window = WebTransportConfiguration().streamReceiveWindow
        let stream = try self.session.openUnidirectionalStream(priority: .control)
        self.urgent = stream
        try stream.write(BenchPattern.make(stream.id, from: 0, count: beyondWindow ? 2 * window : window))
        if !beyondWindow { try stream.finish() }
    }

    /// Sends on streams that come after it.
    func sendLower(streams: Int, byteCount: UInt64) throws {
        self.writer = try BenchWriter(
            self.session,
            streams: streams,
            byteCount: byteCount,
            priority: StreamPriority(rawValue: 20)
        ) { _ in }
    }
}

/// The receiver of ``BlockedPriorityRun``. (loop)
private final class BlockedReceiver {
    private let session: any WebTransportSession
    private let loop: PacketLoop
    private let reader = BenchReader()
    private let prepared: Outcome<Void>

    init(
        _ session: any WebTransportSession,
        loop: PacketLoop,
        pausesFirst: Bool,
        streams: Int,
        byteCount: UInt64,
        prepared: Outcome<Void>,
        arrived: Outcome<ContinuousClock.Instant>
    ) {
        self.session = session
        self.loop = loop
        self.prepared = prepared
        var isFirst = pausesFirst
        let reader = self.reader
        reader.opened = { [weak self] stream in
            guard isFirst else { return }
            isFirst = false
            stream.pause()
            self?.watch(stream)
        }
        // Alone, the urgent stream arrives like the others, before them.
        let first = pausesFirst ? 0 : 1
        let urgentCount = pausesFirst ? 0 : UInt64(WebTransportConfiguration().streamReceiveWindow)
        reader.finished = { [unowned reader] _ in
            if reader.finishedCount == first { prepared.succeed(()) }
            guard reader.finishedCount == first + streams else { return }
            if let complaint = reader.complaint {
                arrived.fail(CommandFailure(complaint))
            } else if reader.byteCount != byteCount + urgentCount {
                arrived.fail(CommandFailure("\(reader.byteCount) bytes arrived instead of \(byteCount + urgentCount)"))
            } else {
                arrived.succeed(.now)
            }
        }
        reader.closed = { info in
            prepared.fail(CommandFailure("the session ended too early: \(info)"))
            arrived.fail(CommandFailure("the session ended too early: \(info)"))
        }
        session.handler = reader
    }

    /// Waits until the stream's window is full.
    private func watch(_ stream: ReceiveStream) {
        if stream.bufferedByteCount >= WebTransportConfiguration().streamReceiveWindow {
            self.prepared.succeed(())
        } else {
            self.loop.schedule(after: .milliseconds(1)) { [weak self] in self?.watch(stream) }
        }
    }
}
