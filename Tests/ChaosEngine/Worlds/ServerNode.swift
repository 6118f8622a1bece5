// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import PicoQuic
import WebTransport
import WebTransportPicoQuic

/// The server of an episode, which may stop and come back on the same port, and may be several endpoints there.
final class ServerNode: Sendable {
    private struct State {
        var executors: [PicoQuicExecutor] = []
        var port: UInt16 = 0
        var accepted = 0
        var isRestarting = false
    }

    /// Holds an endpoint's loop for the endpoint's own acceptor. Set before the endpoint starts, never changed.
    private final class LoopReference: @unchecked Sendable {
        var loop: PacketLoop?
    }

    private let context: EpisodeContext
    private let configuration: QUICConfiguration
    private let bounds: WebTransportConfiguration
    private let scripts: [PeerScript]
    private let loopCount: Int
    private let asksKernel: Bool
    private let state = Locked(State())

    init(
        context: EpisodeContext,
        configuration: QUICConfiguration,
        bounds: WebTransportConfiguration,
        scripts: [PeerScript],
        loops: Int = 1,
        asksKernel: Bool = true
    ) {
        self.context = context
        self.configuration = configuration
        self.bounds = bounds
        self.scripts = scripts
        self.loopCount = loops
        self.asksKernel = asksKernel
    }

    /// Where the server listens; the same after a restart.
    var port: UInt16 { self.state.withLock { $0.port } }

    /// Starts to listen.
    func start(on port: UInt16 = 0) async throws {
        let executors = (0..<self.loopCount).map { _ in self.makeExecutor() }
        let address = try await self.context.waiting(for: "the server's start") {
            do {
                return try await self.listen(executors, on: .loopback(port: port))
            } catch {
                for executor in executors { await executor.stop() }
                throw error
            }
        }
        self.context.count("endpoints started", executors.count)
        self.state.withLock { state in
            state.executors = executors
            state.port = address.port
        }
    }

    private func makeExecutor() -> PicoQuicExecutor {
        let reference = LoopReference()
        let executor = PicoQuicExecutor(label: "chaos-server", configuration: self.configuration) { [self] connection in
            guard let loop = reference.loop else { return nil }
            return self.accept(connection, loop: loop)
        }
        reference.loop = executor.loop
        self.context.watch(executor, "the server's endpoint")
        return executor
    }

    private func listen(_ executors: [PicoQuicExecutor], on address: QUICAddress) async throws -> QUICAddress {
        guard executors.count > 1 else {
            return try await executors[0].start(on: address)
        }
        self.context.count("servers with several loops")
        var members = PortGroup(count: executors.count, asksKernel: self.asksKernel).members
        if self.context.isDue(.loseForwarded) {
            // Each has a group in which nobody else listens.
            members = members.map { PortGroup(count: executors.count, asksKernel: false).members[$0.index] }
        }
        let port = try SharedPort(address)
        let shared = port.address
        _ = try await executors[0].start(on: shared, member: members[0], isAccepting: true)
        port.release()
        for (executor, member) in zip(executors, members).dropFirst() {
            _ = try await executor.start(on: shared, member: member, isAccepting: true)
        }
        return shared
    }

    private func accept(_ connection: QUICConnection, loop: PacketLoop) -> (any QUICConnectionDelegate)? {
        let number = self.state.withLock { state in
            state.accepted += 1
            return state.accepted
        }
        self.context.watch(connection, "connection \(number) of the server")
        guard number % 11 != 10 else {
            self.context.count("connections turned away")
            return nil
        }
        self.context.count("connections")
        let session = PicoQuicWebTransport(connection: connection, loop: loop, configuration: self.bounds)
        let peer = ChaosPeer(
            session,
            loop: loop,
            script: self.scripts[number % self.scripts.count],
            seed: ChaosRandom(seed: self.context.seed, 0x7365_7276, UInt64(number)).seed,
            name: "server \(number)",
            context: self.context
        )
        peer.start()
        return session
    }

    /// Stops, and comes back on the same port after a while. While that goes on, others only see their stop return.
    func restart(code: UInt64, pause: Int) async {
        let isFirst = self.state.withLock { state in
            let isFirst = !state.isRestarting
            state.isRestarting = true
            return isFirst
        }
        await self.stop(code: code)
        guard isFirst else { return }
        self.context.count("servers restarted")
        await self.release()
        try? await Task.sleep(for: .milliseconds(pause))
        do {
            try await self.start(on: self.port)
        } catch {
            self.context.violate(.process, "the server cannot come back: \(error)")
        }
        self.state.withLock { $0.isRestarting = false }
    }

    /// Stops, and sees that nothing is left.
    func stop(code: UInt64) async {
        let executors = self.state.withLock { $0.executors }
        await self.context.waiting(for: "the server's stop") {
            await withTaskGroup(of: Void.self) { group in
                for executor in executors {
                    group.addTask { await executor.stop(code: code, reason: ChaosPeer.reason(of: code)) }
                }
            }
        }
        self.context.count("endpoints stopped", executors.count)
    }

    /// The endpoints' loops; none before the start.
    var loops: [PacketLoop] { self.state.withLock { $0.executors.map(\.loop) } }

    /// What the endpoints did and hold, together.
    var statistics: QUICEndpointStatistics {
        get async {
            var sum = QUICEndpointStatistics()
            for executor in self.state.withLock({ $0.executors }) { sum.add(await executor.statistics()) }
            return sum
        }
    }

    /// Lets go of the endpoints, which have been stopped, and checks what they left.
    func release() async {
        let forwarded = await self.statistics.packetsForwarded
        self.context.count("packets handed to another loop", Int(clamping: forwarded))
        let executors = self.state.withLock { state in
            let executors = state.executors
            state.executors = []
            return executors
        }
        for executor in executors { NetworkWorld.checkStopped(executor, "the server", self.context) }
    }
}
