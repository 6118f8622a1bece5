// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import PicoQuic
import WebTransport
import WebTransportPicoQuic

/// The server of an episode, which may stop and come back on the same port.
final class ServerNode: Sendable {
    private struct State {
        var executor: PicoQuicExecutor?
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
    private let state = Locked(State())

    init(
        context: EpisodeContext,
        configuration: QUICConfiguration,
        bounds: WebTransportConfiguration,
        scripts: [PeerScript]
    ) {
        self.context = context
        self.configuration = configuration
        self.bounds = bounds
        self.scripts = scripts
    }

    /// Where the server listens; the same after a restart.
    var port: UInt16 { self.state.withLock { $0.port } }

    /// Starts to listen.
    func start(on port: UInt16 = 0) async throws {
        let reference = LoopReference()
        let executor = PicoQuicExecutor(label: "chaos-server", configuration: self.configuration) { [self] connection in
            guard let loop = reference.loop else { return nil }
            return self.accept(connection, loop: loop)
        }
        reference.loop = executor.loop
        self.context.watch(executor, "the server's endpoint")
        let address = try await self.context.waiting(for: "the server's start") {
            try await executor.start(on: .loopback(port: port))
        }
        self.context.count("endpoints started")
        self.state.withLock { state in
            state.executor = executor
            state.port = address.port
        }
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
        self.release()
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
        guard let executor = self.state.withLock({ $0.executor }) else { return }
        await self.context.waiting(for: "the server's stop") {
            await executor.stop(code: code, reason: ChaosPeer.reason(of: code))
        }
        self.context.count("endpoints stopped")
    }

    /// The endpoint's loop; nil before the start.
    var loop: PacketLoop? { self.state.withLock { $0.executor?.loop } }

    /// What the endpoint did and holds; nil before the start.
    var statistics: QUICEndpointStatistics? {
        get async { await self.state.withLock { $0.executor }?.statistics() }
    }

    /// Lets go of the endpoint, which has been stopped, and checks what it left.
    func release() {
        let executor = self.state.withLock { state in
            let executor = state.executor
            state.executor = nil
            return executor
        }
        if let executor { NetworkWorld.checkStopped(executor, "the server", self.context) }
    }
}
