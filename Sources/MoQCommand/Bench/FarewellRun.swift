// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import Foundation
internal import MoQ
internal import MoQPicoQuic
internal import MoQRelay
internal import MoQWire
internal import PacketLoop
internal import PicoQuic
internal import WebTransport
internal import WebTransportPicoQuic

/// `moq bench farewell`, running: a relay and its clients in this process, over sockets on loopback.
struct FarewellRun {
    /// How many handshakes may be under way at a time.
    private static let handshakesAtOnce = 32
    /// How long a client waits to be told before that counts as never.
    private static let patience = Duration.seconds(20)
    private static let reason = "closing time"

    private let command: BenchFarewellCommand

    /// Takes the options.
    init(_ command: BenchFarewellCommand) {
        self.command = command
    }

    /// Runs the rounds; prints for each how long it took until the last client knew, and what the process held then.
    func run() async throws {
        let interrupted = Outcome<Int32>()
        SignalWatch.process.onStop { interrupted.succeed($0) }
        var descriptors: [Int] = []
        for round in 1...self.command.rounds {
            let seconds = try await self.round()
            if case .success(let signal) = interrupted.result {
                throw CommandFailure.interrupted(by: signal)
            }
            descriptors.append(Self.descriptorCount)
            StandardStreams.say(
                "round \(round)  clients \(self.command.clients)  seconds \(Quantity.decimal(seconds, digits: 3))  "
                    + "resident_kib \(ProcessMemory.residentKiB)  descriptors \(descriptors.last ?? 0)"
            )
        }
        if let first = descriptors.first, let last = descriptors.last, last > first {
            throw CommandFailure("\(last - first) file descriptors were left open")
        }
    }

    /// Connects all clients, stops the server, and checks that everybody was told and nothing is left.
    /// - Returns: the seconds from the stop until the last client knew.
    private func round() async throws -> Double {
        let count = self.command.clients
        let everybodyIsThere = Outcome<Void>()
        let everybodyKnows = Outcome<ContinuousClock.Instant>()
        let crowd = LoopCell<FarewellCrowd>()
        let (server, client) = try self.makePair()
        let result: Result<Double, any Error>
        do {
            let port = try await server.start(on: .loopback(port: 0)).port
            try await client.start()
            let loop = client.loop
            try await loop.run {
                crowd.set(
                    FarewellCrowd(
                        loop: loop,
                        count: count,
                        reason: Self.reason,
                        everybodyIsThere: everybodyIsThere,
                        everybodyKnows: everybodyKnows
                    ),
                    on: loop
                )
            }
            try await Self.connect(count, client, to: port, crowd)
            try await everybodyIsThere.value()
            let before = await server.statistics()
            guard before.quic.connectionsLive == count else {
                throw CommandFailure("\(before.quic.connectionsLive) connections are open instead of \(count)")
            }
            let began = ContinuousClock.now
            async let stopped: Void = server.stop(reason: Self.reason)
            let watchdog = Task {
                try await Task.sleep(for: Self.patience)
                everybodyKnows.fail(CommandFailure("some clients were not told within \(Self.patience)"))
            }
            let ended = try await everybodyKnows.value()
            watchdog.cancel()
            await stopped
            result = .success(Quantity.seconds(began.duration(to: ended)))
        } catch {
            result = .failure(error)
        }
        await server.stop()
        await client.stop()
        let seconds = try result.get()
        try Self.check(await server.statistics(), of: count)
        try Self.check(await client.statistics(), of: count, "the clients' endpoint")
        return seconds
    }

    private func makePair() throws -> (MoQPicoQuicServer, PicoQuicExecutor) {
        do throws(QUICError) {
            let certificate = try SelfSignedCertificate()
            var serving = MoQEndpointConfiguration(drafts: [.draft18], credentials: .selfSigned(certificate))
            self.command.connection.apply(to: &serving.quic)
            let relayConfiguration = MoQRelayConfiguration(maximumSessions: self.command.clients)
            let server = MoQPicoQuicServer(configuration: serving) { loop in
                let relay = MoQRelay(loop: loop, configuration: relayConfiguration)
                return { transport, profile in relay.accept(transport, profile: profile) }
            }
            var connecting = QUICConfiguration(applicationProtocols: [DraftVersion.draft18.alpn])
            connecting.verification = .pinned([certificate.fingerprint])
            self.command.connection.apply(to: &connecting)
            connecting.adopt(WebTransportConfiguration())
            return (server, PicoQuicExecutor(label: "moq-crowd", configuration: connecting))
        } catch {
            throw CommandFailure(error.message)
        }
    }

    private static func connect(
        _ count: Int,
        _ client: PicoQuicExecutor,
        to port: UInt16,
        _ crowd: LoopCell<FarewellCrowd>
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<count {
                if number >= Self.handshakesAtOnce { try await group.next() }
                group.addTask {
                    try await client.connect(to: "127.0.0.1", port: port, timeout: Self.patience) { connection in
                        let transport = PicoQuicWebTransport(connection: connection, loop: client.loop)
                        crowd.bound?.value.join(transport)
                        return transport
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private static func check(_ statistics: MoQEndpointStatistics, of count: Int) throws {
        try self.check(statistics.quic, of: count, "the server")
        let transport = statistics.sessions.transport
        guard statistics.sessionsLive == 0, statistics.sessionsEnded == UInt64(count), transport.streamsLive == 0,
            transport.queuedByteCount == 0, statistics.sessions.counters.liveRequests == 0
        else {
            throw CommandFailure("the server still has sessions or streams: \(statistics)")
        }
    }

    private static func check(_ statistics: QUICEndpointStatistics, of count: Int, _ whose: String) throws {
        guard statistics.connectionsLive == 0, statistics.connectionsCreated == UInt64(count),
            statistics.connectionsEnded == UInt64(count), statistics.loop.liveTimers == 0,
            statistics.loop.queuedJobs == 0
        else {
            throw CommandFailure("\(whose) has something left: \(statistics)")
        }
    }

    /// How many file descriptors the process has open, where the system tells.
    private static var descriptorCount: Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd"))?.count ?? 0
    }
}

/// The clients of ``FarewellRun``: one handler for all their sessions. (loop)
private final class FarewellCrowd: MoQSessionHandler {
    private let loop: PacketLoop
    private let count: Int
    private let reason: String
    private let everybodyIsThere: Outcome<Void>
    private let everybodyKnows: Outcome<ContinuousClock.Instant>
    private var setUp = 0
    private var closed = 0

    init(
        loop: PacketLoop,
        count: Int,
        reason: String,
        everybodyIsThere: Outcome<Void>,
        everybodyKnows: Outcome<ContinuousClock.Instant>
    ) {
        self.loop = loop
        self.count = count
        self.reason = reason
        self.everybodyIsThere = everybodyIsThere
        self.everybodyKnows = everybodyKnows
    }

    /// Begins a session.
    func join(_ transport: PicoQuicWebTransport) {
        guard let profile = DraftProfile(version: .draft18) else { return }
        MoQSession(transport: transport, loop: self.loop, profile: profile, handler: self).start()
    }

    func sessionDidSetUp(_ session: MoQSession) {
        self.setUp += 1
        if self.setUp == self.count {
            self.everybodyIsThere.succeed(())
        }
    }

    func session(_ session: MoQSession, didClose closure: MoQSessionClosure) {
        if self.setUp < self.count {
            self.everybodyIsThere.fail(CommandFailure("a session ended too early: \(closure)"))
        }
        guard closure.origin == .peer, closure.reason == self.reason else {
            self.everybodyKnows.fail(CommandFailure("a client was not told in order: \(closure)"))
            return
        }
        self.closed += 1
        if self.closed == self.count {
            self.everybodyKnows.succeed(.now)
        }
    }

    func session(_ session: MoQSession, didReceive request: IncomingSubscribe) {
        request.reject(.doesNotExist)
    }

    func session(_ session: MoQSession, didReceive request: IncomingPublish) {
        request.reject(.uninterested)
    }

    func session(_ session: MoQSession, didReceive request: IncomingPublishNamespace) {
        request.reject(.uninterested)
    }

    func session(_ session: MoQSession, didReceive request: IncomingSubscribeNamespace) {
        request.reject(.notSupported)
    }

    func session(_ session: MoQSession, didReceiveGoaway uri: String?, timeout: Duration?) {
        // The close that follows is what is waited for.
    }
}
