// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import PacketLoop
import PicoQuic
import WebTransport
import WebTransportPicoQuic

/// Runs an episode over loopback sockets whose server is another process: it stops, or is killed in the middle of
/// everything, and comes back. The clients, and all that is expected of both sides, are here.
final class ProcessWorld: Sendable {
    /// Finds a client's connection again, as long as there is one. Unchecked because only the client's loop looks inside.
    private final class Reference: @unchecked Sendable {
        let loop: PacketLoop
        private weak let connection: QUICConnection?

        init(_ connection: QUICConnection, on loop: PacketLoop) {
            self.connection = connection
            self.loop = loop
        }

        /// Whether both sides know that the handshake is complete. (loop)
        var isConfirmed: Bool { self.connection?.isHandshakeComplete ?? true }
    }

    /// A session of a client.
    private struct Session {
        /// Which of the server's processes there was when the attempt began, and when it had succeeded.
        var began: Int
        var made: Int
        var isResumed: Bool
        var reference: Reference
        /// Whether the server went before it had confirmed the handshake. Then the client may have no packet to send that
        /// is answered with a reset: it repeats its handshake, and data only as far as the first window goes.
        var isUnconfirmed = false
    }

    private struct State {
        var life = 0
        var port: UInt16 = 0
        var child: ChildProcess?
        var sessions: [String: Session] = [:]
        /// Whether the prober is known to have a ticket.
        var hasTicket = false
    }

    /// How long whatever has to come to an end may take. (Longer than the longest idle timeout: who ends by that, and should
    /// not, is to be seen.)
    private static let patience = Duration.seconds(60)

    /// The credential of all servers that this process starts.
    private static let certificate = try? SelfSignedCertificate()

    private let plan: ProcessPlan
    private let context: EpisodeContext
    private let sabotage: Sabotage?
    private let executable: String
    private let certificate: SelfSignedCertificate
    private let patience: Duration
    /// How long the server's process may take to do what it is told.
    private let processPatience: Duration
    private let clients: [PicoQuicExecutor]
    /// Makes the session that is there from the beginning of each of the server's processes, and keeps tickets.
    private let prober: PicoQuicExecutor
    private let tickets = QUICTicketStore()
    private let state = Locked(State())

    /// Runs the episode of a seed. A `sabotage` is done in the server.
    static func run(seed: UInt64, sabotage: Sabotage?, executable: String) async -> EpisodeOutcome {
        let context = EpisodeContext(seed: seed, seesBothEnds: false)
        if let certificate = self.certificate {
            let world = ProcessWorld(context, sabotage, executable, certificate)
            await world.run()
        } else {
            context.violate(.process, "there is no certificate")
        }
        await NetworkWorld.awaitDestruction(context)
        Episode.conclude(context)
        return EpisodeOutcome(
            seed: seed,
            kind: .process,
            violations: context.violations,
            operations: context.operations
        )
    }

    private init(
        _ context: EpisodeContext,
        _ sabotage: Sabotage?,
        _ executable: String,
        _ certificate: SelfSignedCertificate
    ) {
        let plan = ProcessPlan(seed: context.seed)
        self.plan = plan
        self.context = context
        self.sabotage = sabotage
        self.executable = executable
        self.certificate = certificate
        // What is broken on purpose need not be waited for as long.
        self.patience = sabotage == nil ? Self.patience : .seconds(5)
        // The processes are not broken, unless that is what is wrong.
        self.processPatience = sabotage == .hang ? .seconds(5) : Self.patience
        self.clients = plan.clientBounds.map { bounds in
            Self.client(plan, bounds: bounds, certificate: certificate, tickets: nil)
        }
        self.prober = Self.client(
            plan,
            bounds: WebTransportConfiguration(),
            certificate: certificate,
            tickets: self.tickets
        )
        for client in self.clients + [self.prober] { context.watch(client, "a client's endpoint") }
    }

    private static func client(
        _ plan: ProcessPlan,
        bounds: WebTransportConfiguration,
        certificate: SelfSignedCertificate,
        tickets: QUICTicketStore?
    ) -> PicoQuicExecutor {
        var configuration = self.configuration(plan, bounds: bounds)
        configuration.verification = .pinned([certificate.fingerprint])
        configuration.ticketStore = tickets
        return PicoQuicExecutor(label: "chaos-client", configuration: configuration)
    }

    /// What both sides of a plan have in common.
    static func configuration(_ plan: ProcessPlan, bounds: WebTransportConfiguration) -> QUICConfiguration {
        var configuration = QUICConfiguration(applicationProtocols: ["chaos"])
        configuration.adopt(bounds)
        configuration.congestionControl = plan.congestionControl
        configuration.idleTimeout = .milliseconds(plan.idleTimeout)
        configuration.keepAlive = plan.keepAlive.map { .milliseconds($0) }
        return configuration
    }

    // MARK: - The course of events

    private func run() async {
        do {
            for client in self.clients + [self.prober] { try await client.start() }
        } catch {
            self.context.violate(.process, "a client cannot start: \(error)")
        }
        self.context.count("endpoints started", self.clients.count + 1)
        await withTaskGroup(of: Void.self) { group in
            for (number, life) in self.plan.lives.enumerated() {
                guard await self.live(number, life, attemptsIn: &group), !self.isNoticed else { break }
            }
            // Those whose server did not come back.
            if !self.isNoticed { await self.seeEnds(of: self.context.livePeers, nudging: false) }
            await group.waitForAll()
        }
        let hasEnded = await Deadline.run(within: self.patience) { await self.stopClients() }
        if !hasEnded {
            let waiters = self.context.waiters.joined(separator: ", ")
            self.context.violate(.waiter, "the stops have not returned after \(self.patience): \(waiters)")
        }
        for client in self.clients + [self.prober] { await self.checkStopped(client) }
        for name in self.context.abandonPeers() { self.context.violate(.told, "\(name) is never told of the end") }
        for report in self.context.reports { self.judge(report) }
    }

    /// Whether a defect that was put in has shown itself. What it does to the rest need not be waited for.
    private var isNoticed: Bool { self.sabotage != nil && !self.context.violations.isEmpty }

    /// One process of the server, from its start to its end; returns whether that went well enough to go on.
    private func live(
        _ number: Int,
        _ life: ProcessPlan.Life,
        attemptsIn group: inout TaskGroup<Void>
    ) async -> Bool {
        if number > 0 { try? await Task.sleep(for: .milliseconds(life.pause)) }
        let forgotten = self.context.livePeers
        if number > 0, self.plan.lives[number - 1].ending.isSilent { await self.noteUnconfirmed() }
        self.state.withLock { $0.life = number }
        guard let child = await self.startChild(number) else { return false }
        for (index, connect) in life.connects.enumerated() {
            group.addTask { await self.connect("client \(number).\(index)", connect, life: number) }
        }
        await withTaskGroup(of: Void.self) { events in
            for (time, event) in life.events {
                events.addTask {
                    guard (try? await Task.sleep(for: .milliseconds(time))) != nil else { return }
                    self.happen(event, child)
                }
            }
            async let ends: Void = self.seeEnds(of: forgotten, nudging: self.plan.isAnswered(number - 1))
            await self.probe(number, life)
            await self.awaitProgress(life)
            await ends
            events.cancelAll()
        }
        return await self.end(child, number, life)
    }

    private func startChild(_ number: Int) async -> ChildProcess? {
        let port = self.state.withLock { $0.port }
        let child: ChildProcess
        do throws(ChildProcess.Failure) {
            child = try ChildProcess(self.executable, [ChildServer.argument])
        } catch {
            self.context.violate(.process, "the server's process: \(error)")
            return nil
        }
        child.order(
            .begin(
                ChildOrder.Beginning(
                    seed: self.context.seed,
                    life: number,
                    port: port,
                    certificate: Data(self.certificate.certificatePEM),
                    key: Data(self.certificate.privateKeyPEM),
                    sabotage: self.sabotage?.rawValue
                )
            )
        )
        let listening = await child.wait(within: self.processPatience) { heard in
            heard.words.lazy.compactMap { word -> UInt16? in
                if case .listening(let port) = word { port } else { nil }
            }.first
        }
        guard let listening else {
            self.complain(number, await child.ending(within: self.processPatience), "does not listen")
            return nil
        }
        self.context.check(port == 0 || listening == port, .restart, "the server came back on port \(listening)")
        self.context.count(number == 0 ? "server processes started" : "server processes restarted")
        self.state.withLock { $0.port = listening }
        return child
    }

    /// Waits until the clients have done as much as the plan says, but not for ever.
    private func awaitProgress(_ life: ProcessPlan.Life) async {
        func done() -> Int { self.context.operations.values.reduce(0, +) }
        let goal = done() + life.progress
        let end = ContinuousClock.now.advanced(by: .milliseconds(life.duration))
        while done() < goal, ContinuousClock.now < end { try? await Task.sleep(for: .milliseconds(1)) }
    }

    private func happen(_ event: ProcessPlan.Event, _ child: ChildProcess) {
        switch event {
        case .close(let code):
            child.order(.close(code: code))
            self.context.count("servers told to close all sessions")
        case .freeze(let milliseconds):
            child.order(.freeze(milliseconds: milliseconds))
            self.context.count("servers told to freeze")
        }
    }

    private func end(_ child: ChildProcess, _ number: Int, _ life: ProcessPlan.Life) async -> Bool {
        guard !self.isNoticed else {
            child.terminate()
            _ = await child.ending(within: self.processPatience)
            return false
        }
        switch life.ending {
        case .kill:
            child.terminate()
            let heard = await child.ending(within: self.processPatience)
            self.context.count("server processes killed")
            return self.checkEnd(number, heard, .signal(SIGKILL))
        case .abandon:
            child.abandon()
            let heard = await child.ending(within: self.processPatience)
            self.context.count("server processes abandoned")
            return self.checkEnd(number, heard, .exit(ChildProcess.orphanStatus))
        case .stop(let code, let settles):
            if settles { await self.settle(child) }
            child.order(.stop(code: code))
            let heard = await child.ending(within: self.processPatience)
            self.context.count("server processes stopped")
            let isWell = self.checkEnd(number, heard, .exit(0))
            self.take(number, heard)
            if isWell { await self.seeEnds(of: self.context.livePeers, nudging: false) }
            return isWell
        }
    }

    /// Lets both sides bring all streams to their ends.
    private func settle(_ child: ChildProcess) async {
        self.context.settlesNewcomers = true
        defer { self.context.settlesNewcomers = false }
        child.order(.settle)
        async let here: Void = Settlement.run(self.context, within: self.patience)
        _ = await child.wait(within: self.processPatience) { heard in
            heard.words.lazy.compactMap { word -> Bool? in if case .settled = word { true } else { nil } }.first
        }
        await here
    }

    /// Takes note of the sessions whose handshake nobody will confirm any more.
    private func noteUnconfirmed() async {
        for (name, session) in self.state.withLock({ $0.sessions }) {
            let reference = session.reference
            if (try? await reference.loop.run { reference.isConfirmed }) == false {
                self.state.withLock { $0.sessions[name]?.isUnconfirmed = true }
            }
        }
    }

    // MARK: - Clients

    private func connect(_ name: String, _ connect: ProcessPlan.Connect, life: Int) async {
        try? await Task.sleep(for: .milliseconds(connect.time))
        // What begins when the process is gone already belongs to the next one.
        let attempt = Task {
            try await self.attempt(
                name,
                with: self.clients[connect.client],
                bounds: self.plan.clientBounds[connect.client],
                script: connect.script,
                timeout: .milliseconds(connect.timeout)
            )
        }
        if let cancellation = connect.cancellation {
            try? await Task.sleep(for: .milliseconds(cancellation))
            attempt.cancel()
            self.context.count("attempts to connect called off")
        }
        switch await attempt.result {
        case .success: self.context.count("attempts to connect that succeeded")
        case .failure: self.context.count("attempts to connect that failed")
        }
    }

    private func attempt(
        _ name: String,
        with executor: PicoQuicExecutor,
        bounds: WebTransportConfiguration,
        script: PeerScript,
        timeout: Duration
    ) async throws {
        let (port, began) = self.state.withLock { ($0.port, $0.life) }
        let context = self.context
        _ = try await context.waiting(for: "\(name)'s attempt to connect") {
            try await executor.connect(to: "127.0.0.1", port: port, timeout: timeout) { connection in
                context.watch(connection, "the connection of \(name)")
                let isResumed = connection.isResumed
                let reference = Reference(connection, on: executor.loop)
                self.state.withLock { state in
                    state.sessions[name] = Session(
                        began: began,
                        made: state.life,
                        isResumed: isResumed,
                        reference: reference
                    )
                }
                let session = PicoQuicWebTransport(connection: connection, loop: executor.loop, configuration: bounds)
                let peer = ChaosPeer(
                    session,
                    loop: executor.loop,
                    script: script,
                    seed: name.utf8.reduce(ChaosRandom(seed: context.seed, 0x636c_6965).seed) {
                        ChaosRandom.mix($0, UInt64($1))
                    },
                    name: name,
                    context: context
                )
                peer.start()
                return session
            }
        }
    }

    /// Sees that a process that has just begun to listen serves, and takes the tickets that the one before it gave.
    private func probe(_ number: Int, _ life: ProcessPlan.Life) async {
        let name = "prober \(number)"
        let hadTicket = self.state.withLock { state in
            let hadTicket = state.hasTicket
            state.hasTicket = false
            return hadTicket
        }
        do {
            try await self.attempt(
                name,
                with: self.prober,
                bounds: WebTransportConfiguration(),
                script: life.probe,
                timeout: self.patience / 2
            )
        } catch {
            self.context.violate(.restart, "\(name) cannot connect: \(error)")
            return
        }
        let isResumed = self.state.withLock { $0.sessions[name]?.isResumed ?? false }
        if hadTicket {
            self.context.check(
                isResumed == life.keepsSecrets,
                .restart,
                "\(name), which has a ticket, \(isResumed ? "is" : "is not") resumed"
            )
        }
        self.context.count(isResumed ? "connections resumed" : "connections not resumed")
        // A ticket comes by itself, unless the session ends before that.
        let end = ContinuousClock.now.advanced(by: self.patience)
        while ContinuousClock.now < end {
            // What there is before the end of the session is a ticket, afterwards it may be an address token.
            let hasSomething = self.tickets.count > 0
            if self.context.reports.contains(where: { $0.name == name }) { return }
            if hasSomething {
                self.state.withLock { $0.hasTicket = true }
                return
            }
            try? await Task.sleep(for: .milliseconds(1))
        }
        self.context.violate(.restart, "\(name) is given no ticket")
    }

    /// Sees that sessions end whose server is gone.
    ///
    /// - Parameter nudging: whether they go on sending, so that the server has something to answer.
    private func seeEnds(of peers: [LoopBound<ChaosPeer>], nudging: Bool) async {
        let end = ContinuousClock.now.advanced(by: self.patience)
        var rest = peers
        while !rest.isEmpty {
            var names: [String] = []
            var next: [LoopBound<ChaosPeer>] = []
            for peer in rest {
                let name = try? await peer.loop.run { () -> String? in
                    if nudging { peer.value.sendDatagrams(1, count: 400) }
                    return peer.value.isOver ? nil : peer.value.name
                }
                guard let name = name.flatMap(\.self) else { continue }
                names.append(name)
                next.append(peer)
            }
            guard ContinuousClock.now < end else {
                for name in names { self.context.violate(.told, "\(name) is not told that its server is gone") }
                return
            }
            rest = next
            if !rest.isEmpty { try? await Task.sleep(for: .milliseconds(nudging ? 20 : 2)) }
        }
    }

    private func stopClients() async {
        await withTaskGroup(of: Void.self) { group in
            for client in self.clients + [self.prober] {
                group.addTask {
                    await self.context.waiting(for: "a client's stop") { await client.stop(code: self.plan.farewell) }
                }
            }
        }
        self.context.count("endpoints stopped", self.clients.count + 1)
    }

    // MARK: - Checking

    private func checkStopped(_ client: PicoQuicExecutor) async {
        NetworkWorld.checkStopped(client, "a client", self.context)
        let statistics = await client.statistics()
        self.context.check(
            statistics.connectionsLive == 0 && statistics.connectionsCreated == statistics.connectionsEnded,
            .counters,
            "a client made \(statistics.connectionsCreated) connections, of which \(statistics.connectionsEnded) ended "
                + "and \(statistics.connectionsLive) live after the stop"
        )
    }

    /// Sees that a session ended as it had to, after what became of its server.
    private func judge(_ report: PeerReport) {
        guard let session = self.state.withLock({ $0.sessions[report.name] }) else { return }
        // Either side may have closed before its server was gone.
        var expected: Set<WebTransportCloseInfo.Origin> = [.local, .peer]
        for life in session.began...session.made { expected.formUnion(self.plan.ends(of: life)) }
        if self.plan.isImpatient || session.isUnconfirmed { expected.insert(.transport(.idleTimeout)) }
        self.context.check(
            expected.contains(report.info.origin),
            .reset,
            "\(report.name), of process \(session.began) to \(session.made): \(report.info)"
        )
        switch report.info.origin {
        case .local: self.context.count("sessions ended here")
        case .peer:
            self.context.count("sessions ended by the server")
            self.context.check(
                report.info.reason == ChaosPeer.reason(of: report.info.code),
                .code,
                "\(report.name): \(report.info)"
            )
        case .transport(let cause): self.context.count("sessions ended by \(cause.rawValue)")
        }
    }

    /// Sees that one of the server's processes ended as it had to.
    private func checkEnd(_ number: Int, _ heard: ChildProcess.Heard, _ expected: ChildProcess.End) -> Bool {
        guard heard.end == expected, !heard.isHung else {
            self.complain(number, heard, "is to end with \(expected)")
            return false
        }
        // A sanitizer may have said something before the end.
        if heard.complaints.contains("Sanitizer") || heard.complaints.contains("runtime error:") {
            self.complain(number, heard, "complains")
            return false
        }
        return true
    }

    private func complain(_ number: Int, _ heard: ChildProcess.Heard, _ what: String) {
        // A process that says itself what does not hold exits with 1 because of that.
        if heard.end == .exit(1), heard.words.contains(where: { if case .violation = $0 { true } else { false } }) {
            if !heard.words.contains(where: { if case .ended = $0 { true } else { false } }) {
                self.take(number, heard)
            }
            return
        }
        let end = heard.isHung ? "hangs" : heard.end.map { "ended with \($0)" } ?? "goes on"
        self.context.violate(.process, "the server's process \(number) \(what), and \(end)\n\(heard.complaints)")
    }

    /// Takes what a process told that has stopped in order.
    private func take(_ number: Int, _ heard: ChildProcess.Heard) {
        var reports: [PeerReport] = []
        var remains: ChildWord.Remains?
        for word in heard.words {
            switch word {
            case .listening, .settled: break
            case .report(let report): reports.append(report.report)
            case .counts(let counts): for (name, count) in counts { self.context.count(name, count) }
            case .ended(let rest): remains = rest
            case .violation(let name, let seen):
                self.context.violate(
                    Invariant(rawValue: name) ?? .process,
                    "in the server's process \(number): \(seen)"
                )
            }
        }
        guard let remains else {
            self.context.violate(.process, "the server's process \(number) has not told how it ended")
            return
        }
        for complaint in remains.complaints {
            self.context.violate(.counters, "the server's process \(number) has \(complaint) after its stop")
        }
        Reconciliation(self.context).run(with: reports)
    }
}
