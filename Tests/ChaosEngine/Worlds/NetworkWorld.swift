// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import PicoQuic
import WebTransport
import WebTransportPicoQuic

/// Runs an episode over loopback sockets: one server, some clients, and perhaps a proxy between them.
final class NetworkWorld: Sendable {
    /// How long whatever has to come to an end may take. (Under a sanitizer, on a busy machine, it takes a while.)
    private static let patience = Duration.seconds(60)

    /// A credential for all servers of this process.
    private static let certificate = try? SelfSignedCertificate()

    /// What makes stateless resets recognisable after a restart.
    private static let resetSeed = [UInt8](repeating: 0x5a, count: 16)

    /// Several loops of a server have to open the same tokens.
    private static let ticketKey = [UInt8](repeating: 0x3c, count: 32)

    private let plan: NetworkPlan
    private let context: EpisodeContext
    private let patience: Duration
    private let server: ServerNode
    private let clients: [PicoQuicExecutor]

    /// Runs the episode of a seed.
    static func run(seed: UInt64, sabotage: Sabotage?) async -> EpisodeOutcome {
        let plan = NetworkPlan(seed: seed)
        let context = EpisodeContext(seed: seed, sabotage: sabotage)
        // What is broken on purpose need not be waited for as long.
        let patience = sabotage == nil ? self.patience : .seconds(3)
        if let world = NetworkWorld(plan: plan, context: context, patience: patience) {
            await world.run()
        } else {
            context.violate(.process, "there is no certificate")
        }
        await self.awaitDestruction(context)
        Episode.conclude(context)
        return EpisodeOutcome(
            seed: seed,
            kind: .network,
            violations: context.violations,
            operations: context.operations
        )
    }

    private init?(plan: NetworkPlan, context: EpisodeContext, patience: Duration) {
        guard let certificate = Self.certificate else { return nil }
        self.plan = plan
        self.context = context
        self.patience = patience
        var server = Self.configuration(plan, bounds: plan.serverBounds)
        server.credentials = .selfSigned(certificate)
        server.retryPolicy = plan.retry
        server.statelessResetSeed = Self.resetSeed
        server.maximumConnections = UInt32(plan.maximumConnections)
        // Seeds that follow each other have all combinations of packet loops.
        let loops = PacketLoopKind.available
        server.packetLoop = loops[Int(context.seed % UInt64(loops.count))]
        let clientLoop = loops[Int(context.seed / 2 % UInt64(loops.count))]
        // Half of the servers with a loop that can share its port have two, and half of those do without the kernel's help.
        let isShared = server.packetLoop == .epoll && context.seed / 4 % 2 == 0
        server.ticketKeys = [Self.ticketKey]
        self.server = ServerNode(
            context: context,
            configuration: server,
            bounds: plan.serverBounds,
            scripts: plan.serverScripts,
            loops: isShared ? 2 : 1,
            asksKernel: context.seed / 8 % 2 == 0
        )
        self.clients = plan.clientBounds.map { bounds in
            var client = Self.configuration(plan, bounds: bounds)
            client.verification = .pinned([certificate.fingerprint])
            client.packetLoop = clientLoop
            return PicoQuicExecutor(label: "chaos-client", configuration: client)
        }
        for client in self.clients { context.watch(client, "a client's endpoint") }
    }

    private static func configuration(_ plan: NetworkPlan, bounds: WebTransportConfiguration) -> QUICConfiguration {
        var configuration = QUICConfiguration(applicationProtocols: ["chaos"])
        configuration.adopt(bounds)
        configuration.congestionControl = plan.congestionControl
        configuration.idleTimeout = .milliseconds(plan.idleTimeout)
        configuration.keepAlive = plan.keepAlive.map { .milliseconds($0) }
        configuration.maximumDatagramFrameSize = plan.takesDatagrams ? 1_536 : 0
        configuration.handshakeTimeout = .seconds(5)
        return configuration
    }

    // MARK: - The course of events

    private func run() async {
        var ports: [UInt16] = []
        var proxy: ChaosProxy?
        do {
            try await self.server.start()
            for client in self.clients { ports.append(try await client.start().port) }
        } catch {
            self.context.violate(.process, "an endpoint cannot start: \(error)")
        }
        if self.plan.connects.contains(where: \.throughProxy) {
            proxy = ChaosProxy(to: self.server.port, weather: self.plan.weather, seed: self.context.seed)
        }
        self.context.count("endpoints started", self.clients.count)
        let way = proxy
        let clientPorts = ports
        let isInTime = await Deadline.run(within: self.patience) {
            await self.live(way, clientPorts)
        }
        if !isInTime { self.reportWaiters("the attempts to connect and the stops") }
        if self.plan.settles {
            way?.setWeather(NetworkPlan.Weather())
            await self.settle()
        }
        let hasEnded = await Deadline.run(within: self.patience) { await self.end() }
        if !hasEnded { self.reportWaiters("the stops") }
        await proxy?.stop()
        if let counts = way?.counts {
            self.context.count("packets through the proxy", counts.passed)
            self.context.count("packets lost, doubled, altered or delayed", counts.faults)
        }
        for client in self.clients { Self.checkStopped(client, "a client", self.context) }
        await self.server.release()
        for name in self.context.abandonPeers() { self.context.violate(.told, "\(name) is never told of the end") }
    }

    private func reportWaiters(_ what: String) {
        let waiters = self.context.waiters.joined(separator: ", ")
        self.context.violate(.waiter, "\(what) have not returned after \(self.patience): \(waiters)")
    }

    /// Everything that the plan has in store, at its time.
    private func live(_ proxy: ChaosProxy?, _ ports: [UInt16]) async {
        await withTaskGroup(of: Void.self) { group in
            for (number, connect) in self.plan.connects.enumerated() {
                group.addTask { await self.connect(number, connect, proxy) }
            }
            for (time, event) in self.plan.events {
                group.addTask {
                    try? await Task.sleep(for: .milliseconds(time))
                    await self.happen(event, proxy, ports)
                }
            }
            group.addTask { try? await Task.sleep(for: .milliseconds(self.plan.duration)) }
        }
    }

    private func connect(_ number: Int, _ connect: NetworkPlan.Connect, _ proxy: ChaosProxy?) async {
        try? await Task.sleep(for: .milliseconds(connect.time))
        let context = self.context
        let executor = self.clients[connect.client]
        let bounds = self.plan.clientBounds[connect.client]
        let port = connect.throughProxy ? proxy?.port ?? self.server.port : self.server.port
        let attempt = Task {
            try await context.waiting(for: "attempt \(number) to connect") {
                try await executor.connect(to: "127.0.0.1", port: port, timeout: .milliseconds(connect.timeout)) {
                    connection in
                    context.watch(connection, "connection \(number) of a client")
                    let session = PicoQuicWebTransport(
                        connection: connection,
                        loop: executor.loop,
                        configuration: bounds
                    )
                    let peer = ChaosPeer(
                        session,
                        loop: executor.loop,
                        script: connect.script,
                        seed: ChaosRandom(seed: context.seed, 0x636c_6965, UInt64(number)).seed,
                        name: "client \(number)",
                        context: context
                    )
                    peer.start()
                    return session
                }
            }
        }
        if let cancellation = connect.cancellation {
            try? await Task.sleep(for: .milliseconds(cancellation))
            attempt.cancel()
            context.count("attempts to connect called off")
        }
        switch await attempt.result {
        case .success: context.count("attempts to connect that succeeded")
        case .failure: context.count("attempts to connect that failed")
        }
    }

    private func happen(_ event: NetworkPlan.Event, _ proxy: ChaosProxy?, _ ports: [UInt16]) async {
        switch event {
        case .restart(let code, let pause):
            await self.server.restart(code: code, pause: pause)
        case .stopClient(let index):
            await self.context.waiting(for: "a client's stop") { await self.clients[index].stop(code: 1) }
            self.context.count("clients stopped early")
        case .junkToServer(let number):
            Loopback.sendJunk(to: self.server.port, number: number, seed: self.context.seed)
            self.context.count("junk packets", number)
        case .junkToClient(let index, let number):
            guard ports.indices.contains(index) else { return }
            Loopback.sendJunk(to: ports[index], number: number, seed: self.context.seed)
            self.context.count("junk packets", number)
        case .rebind:
            guard let proxy else { return }
            proxy.rebind()
            self.context.count("rebindings")
        case .cut(let milliseconds):
            guard let proxy else { return }
            proxy.cut(milliseconds: milliseconds)
            self.context.count("cuts")
        }
    }

    /// Lets every live session bring its streams to their ends.
    private func settle() async {
        let peers = self.context.livePeers
        for peer in peers { _ = try? await peer.loop.run { peer.value.settle() } }
        let end = ContinuousClock.now.advanced(by: self.patience)
        for peer in peers {
            var rest: String?
            repeat {
                // A session that began in the meantime has nobody to wait for it, but its peer may be among these.
                for other in self.context.livePeers { _ = try? await other.loop.run { other.value.settle() } }
                rest = (try? await peer.loop.run { peer.value.unfinished }) ?? nil
                if rest != nil { try? await Task.sleep(for: .milliseconds(2)) }
            } while rest != nil && ContinuousClock.now < end
            if let rest { self.context.violate(.rest, "does not come to its end: \(rest)") }
        }
        self.context.count("sessions settled", peers.count)
        if !peers.isEmpty { await self.checkRest(peers) }
    }

    /// Sees that loops sleep when their sessions have nothing to do.
    private func checkRest(_ peers: [LoopBound<ChaosPeer>]) async {
        var busiest = ""
        for _ in 0..<5 {
            let before = peers.map { $0.loop.counters }
            let time = ProcessVitals.processorTime
            let start = ContinuousClock.now
            try? await Task.sleep(for: .milliseconds(40))
            let used = ProcessVitals.processorTime - time
            let elapsed = start.duration(to: .now)
            let turns =
                zip(peers, before).map { peer, before in
                    let now = peer.loop.counters
                    return Int(clamping: now.timersFired &- before.timersFired + (now.jobsRun &- before.jobsRun))
                }.max() ?? 0
            if turns < 200, used < elapsed / 2 + .milliseconds(20) { return }
            busiest = "\(turns) turns and \(used) of processor time in \(elapsed)"
        }
        self.context.violate(.spin, "with nothing to do: \(busiest)")
    }

    /// Stops all endpoints.
    private func end() async {
        if self.plan.serverStopsFirst { await self.server.stop(code: self.plan.farewell) }
        await withTaskGroup(of: Void.self) { group in
            for client in self.clients {
                group.addTask {
                    await self.context.waiting(for: "a client's stop") { await client.stop(code: self.plan.farewell) }
                }
            }
        }
        await self.server.stop(code: self.plan.farewell)
        self.context.count("endpoints stopped", self.clients.count)
    }

    // MARK: - Afterwards

    /// Sees that an endpoint that was stopped holds nothing any more.
    static func checkStopped(_ executor: PicoQuicExecutor, _ name: String, _ context: EpisodeContext) {
        let counters = executor.loop.counters
        context.check(executor.loop.isStopped, .counters, "\(name)'s loop goes on after the stop")
        context.check(counters.liveTimers == 0, .counters, "\(name) has \(counters.liveTimers) timers after the stop")
        context.check(counters.queuedJobs == 0, .counters, "\(name) has \(counters.queuedJobs) jobs after the stop")
    }

    /// Gives threads that are about to let go of something a moment to do it.
    static func awaitDestruction(_ context: EpisodeContext) async {
        let end = ContinuousClock.now.advanced(by: .seconds(2))
        while !context.survivors.names.isEmpty, ContinuousClock.now < end {
            try? await Task.sleep(for: .milliseconds(1))
        }
    }
}
