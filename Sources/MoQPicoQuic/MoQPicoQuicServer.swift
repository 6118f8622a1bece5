// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import Logging
public import MoQ
public import MoQWire
public import PacketLoop
public import PicoQuic
public import WebTransport

/// A MoQ server on picoquic: listens, agrees on a draft with each client, and hands the connection to whoever makes the
/// sessions.
///
/// ```swift
/// let server = MoQPicoQuicServer(configuration: configuration) { loop in
///     let relay = MoQRelay(loop: loop)
///     return { transport, profile in relay.accept(transport, profile: profile) }
/// }
/// let address = try await server.start(on: .loopback(port: 4433))
/// …
/// await server.shutDown(drainTimeout: .seconds(5))
/// ```
///
/// A server is started once and stopped once, and has to be stopped; ``run(on:drainTimeout:_:)`` does both. One that is dropped while it runs closes everything by itself, with a complaint (see `PicoQuicExecutor`).
public final class MoQPicoQuicServer: Sendable {
    /// Makes and starts the session of a connection, on the loop, or returns nil to refuse the connection, which is
    /// closed if the acceptor has not closed it.
    public typealias Acceptor = (_ transport: any WebTransportSession, _ profile: DraftProfile) -> MoQSession?

    private typealias StartOutcome = Result<[MoQListener], QUICError>

    private enum State {
        case idle
        case starting(Task<StartOutcome, Never>)
        case running
        case stopping(Task<Void, Never>)
        case failed
    }

    /// No server has more shards.
    public static let mostShards = PortGroup.mostMembers

    /// What the server is like.
    public let configuration: MoQEndpointConfiguration

    let shards: [ServerShard]
    /// How many shards were asked for.
    private let wanted: Int
    /// The shards as they share the port; nil for one that has it to itself.
    let group: PortGroup?
    private let makeAcceptor: @Sendable (PacketLoop) -> Acceptor
    private let state = Locked(State.idle)

    /// Creates a server. Nothing is opened before the start.
    ///
    /// With several shards, each has a loop with its thread, its connections and its own acceptor; nothing is shared between
    /// them but the port, and the keys of tickets, address tokens and stateless resets. A connection is at home on one shard,
    /// which its connection IDs name, so it stays there when its client's address changes (NAT rebinding, migration). The
    /// kernel is told to deliver packets accordingly; where it refuses, which the log says, shards hand over what they get for
    /// each other. The limit of connections holds for each shard.
    ///
    /// - Parameters:
    ///   - label: the name of the loop and of its thread; several are told apart by a number.
    ///   - shards: how many loops the server has, 1 to ``mostShards``; see ``usualShards(for:)``. More than one listen at a
    ///     port only with ``PacketLoopKind/epoll``.
    ///   - log: is told of clients that get no session because no draft is in common, and of a kernel that does not help.
    ///   - makeAcceptor: called once for each shard, on its loop, when the server starts: for the first shard, then the
    ///     second, and so on, each when the one before has returned, and before any client is let in. Returns what is called
    ///     for each connection.
    public convenience init(
        configuration: MoQEndpointConfiguration,
        label: String = "moq-server",
        shards: Int = 1,
        log: Logger = Logger(label: "moq.server"),
        makeAcceptor: @escaping @Sendable (PacketLoop) -> Acceptor
    ) {
        self.init(
            configuration: configuration,
            label: label,
            shards: shards,
            asksKernel: true,
            log: log,
            makeAcceptor: makeAcceptor
        )
    }

    /// The same.
    /// - Parameter asksKernel: whether the kernel is told which packets are for which shard. If not, all goes by handing over.
    package init(
        configuration: MoQEndpointConfiguration,
        label: String,
        shards: Int,
        asksKernel: Bool,
        log: Logger = Logger(label: "moq.server"),
        makeAcceptor: @escaping @Sendable (PacketLoop) -> Acceptor
    ) {
        let count = min(max(shards, 1), Self.mostShards)
        var quic = configuration.effectiveQUIC
        if count > 1 {
            // Whichever shard gets a packet of a connection that it does not know can reset it, and whichever a client
            // comes back to knows its ticket.
            let secrets = QUICSecrets()
            quic.statelessResetSeed = quic.statelessResetSeed ?? secrets.statelessResetSeed
            quic.ticketKeys = quic.ticketKeys.isEmpty ? secrets.ticketKeys : quic.ticketKeys
        }
        let shared = quic
        self.configuration = configuration
        self.makeAcceptor = makeAcceptor
        self.wanted = shards
        self.group = count == 1 ? nil : PortGroup(count: count, asksKernel: asksKernel)
        self.shards = (0..<count).map { index in
            // The system keeps 15 bytes of a thread's name.
            let name = count == 1 ? label : "\(label.prefix(11))-\(index)"
            return ServerShard(label: name, configuration: configuration, quic: shared, log: log)
        }
    }

    /// The loop that everything of the server runs on: the first one, if there are several.
    public var loop: PacketLoop { self.shards[0].loop }

    /// The loops of all shards, in their order.
    public var loops: [PacketLoop] { self.shards.map(\.loop) }

    // MARK: - Start

    /// Opens the sockets. Returns when clients can connect.
    ///
    /// - Parameter prepare: called when every shard has its acceptor, and before any client of the network is let in: the
    ///   place to introduce shards to each other.
    /// - Returns: the address with the port that the system chose, if it had the choice.
    /// - Throws: what is wrong with the configuration, the files or the address, each named; `invalidState` on a second
    ///   start, `stopped` when the server is stopped meanwhile; `systemFailure` with what `prepare` threw. After an error
    ///   nothing is left open, and the server cannot be started any more.
    @discardableResult
    public func start(
        on address: QUICAddress,
        prepare: (@Sendable () async throws -> Void)? = nil
    ) async throws(QUICError) -> QUICAddress {
        try await self.start([.rawQUIC(address)], prepare: prepare).first?.address ?? address
    }

    /// Opens several listeners, each with a backend of its own. Returns when clients can connect by all of them.
    ///
    /// - Parameter prepare: called as above; clients of this process can come already.
    /// - Returns: the listeners, with the ports that the system chose.
    /// - Throws: the same.
    @discardableResult
    public func start(
        _ listeners: [MoQListener],
        prepare: (@Sendable () async throws -> Void)? = nil
    ) async throws(QUICError) -> [MoQListener] {
        try self.validate(listeners)
        let attempt: Task<StartOutcome, Never>? = self.state.withLock { state in
            guard case .idle = state else {
                return nil
            }
            let attempt = Task { await self.bringUp(listeners, prepare) }
            state = .starting(attempt)
            return attempt
        }
        guard let attempt else {
            throw QUICError(.invalidState, "the server was started before")
        }
        let outcome = await attempt.value
        if case .stopping(let ending) = self.state.withLock({ $0 }) {
            await ending.value
            throw QUICError(.stopped, "the server was stopped while it started")
        }
        return try outcome.get()
    }

    private func validate(_ listeners: [MoQListener]) throws(QUICError) {
        let addresses = listeners.compactMap(\.address)
        guard !listeners.isEmpty else {
            throw QUICError(.invalidConfiguration, "a server needs at least one listener")
        }
        guard addresses.count <= 1 else {
            throw QUICError(.invalidConfiguration, "a server listens at one address, not at \(addresses.count)")
        }
        guard addresses.isEmpty || self.configuration.quic.credentials != nil else {
            throw QUICError(.invalidConfiguration, "a server needs a certificate and a key")
        }
        guard (1...Self.mostShards).contains(self.wanted) else {
            throw QUICError(
                .invalidConfiguration,
                "a server has 1 to \(Self.mostShards) shards, not \(self.wanted)"
            )
        }
        if !addresses.isEmpty, self.group != nil,
            let complaint = self.configuration.quic.packetLoop.complaintAboutSharing
        {
            throw QUICError(.invalidConfiguration, complaint)
        }
        try self.configuration.validate()
    }

    private func bringUp(
        _ listeners: [MoQListener],
        _ prepare: (@Sendable () async throws -> Void)?
    ) async -> StartOutcome {
        do throws(QUICError) {
            let address = try await self.listen(on: listeners.compactMap(\.address).first)
            for shard in self.shards {
                try await shard.open(takesLinks: listeners.contains(.inProcess), self.makeAcceptor)
            }
            try await Self.call(prepare)
            // Not before: shards may have to know each other when the first client comes.
            for shard in self.shards where address != nil {
                try await shard.admitClients()
            }
            self.settle(.running)
            return .success(listeners.map { $0.address == nil ? $0 : .rawQUIC(address ?? .any(port: 0)) })
        } catch {
            await self.stopShards(code: .noError, reason: "")
            self.settle(.failed)
            return .failure(error)
        }
    }

    private static func call(_ prepare: (@Sendable () async throws -> Void)?) async throws(QUICError) {
        do {
            try await prepare?()
        } catch {
            throw error as? QUICError ?? QUICError(.systemFailure, "\(error)")
        }
    }

    /// Notes how the start went, unless somebody wants the server stopped by now.
    private func settle(_ result: State) {
        self.state.withLock { state in
            if case .starting = state {
                state = result
            }
        }
    }

    // MARK: - Drain and stop

    /// Waits until the server, which has been started, serves no longer: somebody stops it, or the task is cancelled.
    ///
    /// - Throws: `systemFailure` when the network thread of a shard has failed by itself. Its sessions have been told then;
    ///   the server still has to be stopped.
    public func waitUntilStopped() async throws(QUICError) {
        await withTaskGroup { group in
            for loop in self.loops {
                group.addTask { await loop.waitUntilStopped() }
            }
            await group.next()
            group.cancelAll()
        }
        let failed = self.loops.first { $0.isStopped }
        if let failed, case .running = self.state.withLock({ $0 }) {
            throw QUICError(.systemFailure, "the network thread of '\(failed.label)' has failed")
        }
    }

    /// Asks all clients to leave (GOAWAY) and waits until they have, but not much longer than `timeout`.
    ///
    /// Sessions that are left then are closed by ``stop(code:reason:)``, which may also come in the middle and ends the
    /// wait. So does the cancellation of the task.
    /// - Returns: whether all sessions have ended.
    @discardableResult
    public func drain(timeout: Duration) async -> Bool {
        switch self.state.withLock({ $0 }) {
        case .idle, .starting, .failed: return true
        case .running, .stopping: break
        }
        return await withTaskGroup(of: Bool.self) { group in
            for shard in self.shards {
                group.addTask { await shard.drain(timeout: timeout) }
            }
            return await group.reduce(true) { $0 && $1 }
        }
    }

    /// Closes every session and the sockets. Every client hears of it within a second. Returns when all is released,
    /// whoever stopped the server first. A server that is starting is stopped when it has started.
    public func stop(code: SessionErrorCode = .noError, reason: String = "") async {
        let ending: Task<Void, Never>? = self.state.withLock { state in
            var starting: Task<StartOutcome, Never>?
            switch state {
            case .stopping(let ending): return ending
            case .failed: return nil
            case .starting(let attempt): starting = attempt
            case .idle, .running: break
            }
            let ending = Task { [starting] in
                _ = await starting?.value
                await self.stopShards(code: code, reason: reason)
            }
            state = .stopping(ending)
            return ending
        }
        await ending?.value
    }

    private func stopShards(code: SessionErrorCode, reason: String) async {
        await withTaskGroup(of: Void.self) { group in
            for shard in self.shards {
                group.addTask { await shard.stop(code: code, reason: reason) }
            }
        }
    }

    /// Ends the server in order: GOAWAY, time for the clients to leave, closes on the wire, release on the loops. Not
    /// cut short by the cancellation of the task.
    /// - Returns: whether all clients left by themselves.
    @discardableResult
    public func shutDown(
        drainTimeout: Duration,
        code: SessionErrorCode = .noError,
        reason: String = ""
    ) async -> Bool {
        // A task of its own, because cancellation would end the wait for the clients.
        await Task {
            let haveLeft = await self.drain(timeout: drainTimeout)
            await self.stop(code: code, reason: reason)
            return haveLeft
        }.value
    }

    // MARK: - Clients of this process

    /// Starts the session of a client of this process.
    func connect(
        _ configuration: MoQEndpointConfiguration,
        shard: Int,
        session: MoQSessionConfiguration,
        makeHandler: @escaping @Sendable (PacketLoop) -> any MoQSessionHandler
    ) async throws(QUICError) -> (session: LoopBound<MoQSession>, draft: DraftVersion) {
        let home = try self.shard(shard)
        switch self.state.withLock({ $0 }) {
        case .running, .stopping: break
        case .idle, .starting, .failed: throw QUICError(.invalidState, "the server does not run")
        }
        return try await home.connect(configuration, session: session, makeHandler: makeHandler)
    }

    /// A shard by its number.
    func shard(_ number: Int) throws(QUICError) -> ServerShard {
        guard self.shards.indices.contains(number) else {
            throw QUICError(.invalidConfiguration, "the server has no shard \(number), but \(self.shards.count)")
        }
        return self.shards[number]
    }

    // MARK: - Counters

    /// How many connections there are now, and how many there have been, over all listeners and shards.
    public func connectionCounts() async -> (live: Int, total: UInt64) {
        var sum: (live: Int, total: UInt64) = (0, 0)
        for shard in self.shards {
            let counts = await shard.connectionCounts()
            sum.live += counts.live
            sum.total &+= counts.total
        }
        return sum
    }

    /// What the server has done so far and what it holds now, over all shards; once it has been stopped, what it had done
    /// in the end. Takes time in proportion to the number of connections, on the loops.
    public func statistics() async -> MoQEndpointStatistics {
        await self.shardStatistics().reduce(into: MoQEndpointStatistics()) { $0.add($1) }
    }

    /// The same for each shard, in their order.
    public func shardStatistics() async -> [MoQEndpointStatistics] {
        var all: [MoQEndpointStatistics] = []
        for shard in self.shards {
            all.append(await shard.statistics())
        }
        return all
    }
}
