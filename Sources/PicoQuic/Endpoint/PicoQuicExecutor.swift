// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CPicoquic
public import Logging
public import PacketLoop
import Synchronization

/// A QUIC endpoint: one context of the library, one loop, and the thread that runs both.
///
/// The loop's executors and timers live in the library's packet loop: they have their turn after packets were received,
/// after packets were sent, and when another thread wakes the loop. Everything of the endpoint's connections happens on
/// that one thread.
///
/// An endpoint is started once and stopped once. It must be stopped: until then its thread runs. Should the thread fail by
/// itself, all connections end as ``QUICCloseInfo/Kind/aborted``, later work is refused, and the endpoint still has to be
/// stopped.
///
/// One that is dropped instead of stopped closes its connections and ends its thread by itself, which is counted in
/// ``abandonedCount``, logged as an error, and in a debug build stops the process, because it is a mistake of the program.
public final class PicoQuicExecutor: Sendable {
    /// ```
    ///   idle ── start() ──▶ starting ──▶ running ── stop() ──▶ stopping ──▶ stopped
    ///     │                    └── stop() came, or the start fails ──▲          ▲
    ///     └──────────────────────── stop() ────────────────────────────────────-┘
    /// ```
    private enum Phase {
        case idle
        case starting
        case running
        case stopping
        case stopped
    }

    private struct Life {
        var phase = Phase.idle
        /// The thread, while the endpoint runs.
        var driver: (any EndpointDriver)?
        /// The address families of its sockets.
        var families: [CInt] = []
        /// The first stop that came before the start had returned.
        var earlyStop: (code: UInt64, reason: String)?
        /// Who waits for the end.
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    /// How long ``stop(code:reason:)`` waits for the closes of connections to leave.
    private static let longestFarewell: Duration = .milliseconds(500)

    /// How long handshakes that are nearly complete may take to become so, and be closed in order.
    private static let handshakeGrace: Duration = .milliseconds(50)

    /// How often it looks whether they have.
    private static let farewellStep: Duration = .milliseconds(5)

    /// How long peers may then still be answered, for those whose close got lost.
    private static let farewellGrace: Duration = .milliseconds(30)

    /// The loop that everything runs on. Work that is posted before the start is done when the loop runs.
    public let loop: PacketLoop

    /// What the endpoint is like.
    public let configuration: QUICConfiguration

    private let log: Logger
    private let acceptor: (@Sendable (QUICConnection) -> (any QUICConnectionDelegate)?)?
    private let onFailure: (@Sendable (String) -> Void)?
    private let life = Locked(Life())

    /// What the endpoint had done when it was stopped.
    private let lastStatistics = Locked(QUICEndpointStatistics())

    /// Creates an endpoint. Nothing is opened before the start.
    ///
    /// - Parameters:
    ///   - label: the name of the loop and of its thread (of which the system keeps 15 bytes).
    ///   - log: is told of clients that never become connections.
    ///   - acceptor: called on the loop for each connection that a client has opened to us, as soon as its application
    ///     protocol is known; returns who hears of it, or nil to close it.
    ///   - onFailure: called on the loop, with words for a person, when the thread has failed by itself: for what lives on
    ///     the loop without being a connection. The connections are told afterwards.
    public init(
        label: String = "moq-loop",
        configuration: QUICConfiguration,
        log: Logger = Logger(label: "moq.quic"),
        acceptor: (@Sendable (QUICConnection) -> (any QUICConnectionDelegate)?)? = nil,
        onFailure: (@Sendable (String) -> Void)? = nil
    ) {
        self.loop = PacketLoop(label: label, clock: { picoquic_current_time() })
        self.configuration = configuration
        self.log = log
        self.acceptor = acceptor
        self.onFailure = onFailure
    }

    deinit {
        guard let driver = self.runningDriver else {
            return
        }
        // The last reference may have been dropped on the endpoint's own thread, which cannot wait for its end.
        Task.detached {
            await Self.bringDown(driver, code: 0, reason: "")
        }
        Abandonment.report("the endpoint '\(self.loop.label)' was dropped while it ran: stop() it before")
    }

    /// How many endpoints and clients were dropped in this process while they were open.
    public static var abandonedCount: Int { Abandonment.count.load(ordering: .relaxed) }

    // MARK: - Start and stop

    /// Whether the endpoint has been started and not been stopped, and its thread has not failed. Work that is posted to
    /// the loop of an endpoint that has not been started waits for the start.
    public var isRunning: Bool {
        self.runningDriver.map { !$0.isEnding } ?? false
    }

    /// The thread between start and stop.
    private var runningDriver: (any EndpointDriver)? {
        self.life.withLock { life in
            life.phase == .running ? life.driver : nil
        }
    }

    /// Opens the sockets and starts the thread. Returns when packets can be received.
    ///
    /// - Parameter address: where to listen; the default suits clients.
    /// - Returns: the address with the port that the system chose, if it had the choice.
    /// - Throws: what the configuration has wrong, naming the file or setting; `addressInUse` and its like, naming the
    ///   address; `stopped` when ``stop(code:reason:)`` was called meanwhile, and then all is released again;
    ///   `invalidState` on a second start. After an error the endpoint cannot be used any more.
    @discardableResult
    public func start(on address: QUICAddress = .any(port: 0)) async throws(QUICError) -> QUICAddress {
        try await self.start(on: address, member: nil, isAccepting: true)
    }

    /// The same, for one of several endpoints of a server.
    ///
    /// - Parameters:
    ///   - member: which one of those that listen at the same port, which a ``SharedPort`` holds; nil when it has its port to
    ///     itself. Members start in the order of their numbers, each when the one before has.
    ///   - isAccepting: whether clients are answered from the beginning, or only after ``acceptClients()``.
    package func start(
        on address: QUICAddress,
        member: PortGroup.Member?,
        isAccepting: Bool
    ) async throws(QUICError) -> QUICAddress {
        let obstacle: String? = self.life.withLock { life in
            switch life.phase {
            case .idle:
                life.phase = .starting
                return nil
            case .starting: return "it is being started already"
            case .running: return "it runs already"
            case .stopping: return "it is being stopped"
            case .stopped: return "it has been stopped, and an endpoint is started once"
            }
        }
        if let obstacle {
            throw QUICError(.invalidState, "cannot start the endpoint: \(obstacle)")
        }
        let driver: any EndpointDriver
        do throws(QUICError) {
            driver = try self.makeDriver(address, member: member)
        } catch {
            self.abandonLoop()
            throw error
        }
        driver.context.setAccepting(isAccepting)
        let port: UInt16
        do throws(QUICError) {
            port = try await driver.start()
        } catch {
            await driver.waitForEnd()
            driver.join()
            self.conclude()
            throw error
        }
        let earlyStop = self.life.withLock { life in
            life.phase = life.earlyStop == nil ? .running : .stopping
            life.driver = driver
            return life.earlyStop
        }
        if let earlyStop {
            await self.shutDown(driver, code: earlyStop.code, reason: earlyStop.reason)
            throw QUICError(.stopped, "the endpoint was stopped while it started")
        }
        return QUICAddress(uncheckedHost: address.host, port: port)
    }

    /// Answers clients from now on. Throws `stopped` when the endpoint does not run.
    package func acceptClients() async throws(QUICError) {
        let driver = self.runningDriver
        let done: Void? = try? await driver?.loop.run { driver?.context.setAccepting(true) }
        guard done != nil else {
            throw QUICError(.stopped, "the endpoint does not run")
        }
    }

    private func makeDriver(
        _ address: QUICAddress,
        member: PortGroup.Member?
    ) throws(QUICError) -> any EndpointDriver {
        if let complaint = PacketLoopKind.complaint {
            throw QUICError(.invalidConfiguration, complaint)
        }
        if member != nil, let complaint = self.configuration.packetLoop.complaintAboutSharing {
            throw QUICError(.invalidConfiguration, complaint)
        }
        let plan: SocketPlan
        let context: QUICContext
        // The configuration first: what is wrong with it does not depend on what else runs on this host.
        context = try QUICContext(
            configuration: self.configuration,
            loop: self.loop,
            member: member,
            log: self.log,
            acceptor: self.acceptor
        )
        context.onFailure = self.onFailure
        do throws(QUICError) {
            plan = try SocketPlan(
                address: address,
                bufferSize: self.configuration.socketBufferSize,
                isPortShared: member != nil
            )
        } catch {
            context.free()
            throw error
        }
        self.life.withLock { $0.families = plan.addresses.map(\.family) }
        switch self.configuration.packetLoop {
        case .picoquic:
            return NetworkDriver(loop: self.loop, context: context, parameters: plan.parameters)
        case .epoll:
            #if os(Linux)
            return EpollDriver(loop: self.loop, context: context, plan: plan)
            #else
            context.free()
            throw QUICError(.invalidConfiguration, "this system has no epoll; the other packet loop is 'picoquic'")
            #endif
        }
    }

    /// Ends the loop of an endpoint that will never have a thread, so that nobody waits for it.
    private func abandonLoop() {
        self.loop.begin()
        self.loop.end()
        self.conclude()
    }

    /// Closes all connections, tells their delegates, then the peers, and ends the thread. Returns when all is released;
    /// takes a fraction of a second. Further calls change nothing, and return when all is released as well. An endpoint that was never
    /// started cannot be started any more; one whose start has not returned is stopped as soon as it stands, and its
    /// start throws.
    ///
    /// - Parameters:
    ///   - code: the application's code for the close.
    ///   - reason: the words for it.
    public func stop(code: UInt64 = 0, reason: String = "") async {
        enum Step {
            case abandon
            case end(any EndpointDriver)
            case wait
        }
        let step = self.life.withLock { life -> Step in
            switch life.phase {
            case .idle:
                life.phase = .stopping
                return .abandon
            case .starting:
                life.earlyStop = life.earlyStop ?? (code, reason)
                return .wait
            case .running:
                life.phase = .stopping
                return life.driver.map { .end($0) } ?? .wait
            case .stopping, .stopped:
                return .wait
            }
        }
        switch step {
        case .abandon:
            self.abandonLoop()
        case .end(let driver):
            await self.shutDown(driver, code: code, reason: reason)
        case .wait:
            await self.waitUntilStopped()
        }
    }

    private func shutDown(_ driver: any EndpointDriver, code: UInt64, reason: String) async {
        await Self.bringDown(driver, code: code, reason: reason)
        let statistics = driver.context.statistics
        self.lastStatistics.withLock { $0 = statistics }
        self.conclude()
    }

    /// Says farewell on the loop and waits for the thread's end, which comes after it, or before when the thread fails:
    /// then what was posted here runs among the loop's last work, or is refused.
    private static func bringDown(_ driver: any EndpointDriver, code: UInt64, reason: String) async {
        driver.loop.post {
            driver.context.closeAll(code: code, reason: reason)
            Self.sayFarewell(driver, since: driver.loop.now)
        }
        await driver.waitForEnd()
        driver.join()
    }

    /// Nothing is left.
    private func conclude() {
        let waiting = self.life.withLock { life in
            life.phase = .stopped
            life.driver = nil
            let waiting = life.waiting
            life.waiting = []
            return waiting
        }
        for continuation in waiting {
            continuation.resume()
        }
    }

    private func waitUntilStopped() async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let isStopped = self.life.withLock { life in
                if life.phase != .stopped {
                    life.waiting.append(continuation)
                }
                return life.phase == .stopped
            }
            if isStopped {
                continuation.resume()
            }
        }
    }

    /// Waits on the loop until every close has left, and then a little, but not for long; then ends the loop.
    private static func sayFarewell(_ driver: any EndpointDriver, since start: LoopInstant) {
        let elapsed = start.duration(to: driver.loop.now)
        let isLate = elapsed >= Self.longestFarewell
        if elapsed >= Self.handshakeGrace {
            driver.context.sendWaitingCloses()
        }
        if isLate || driver.context.connections.count == 0 {
            driver.end()
        } else if driver.context.hasUnsentCloses {
            driver.loop.schedule(after: Self.farewellStep) { Self.sayFarewell(driver, since: start) }
        } else {
            driver.loop.schedule(after: Self.farewellGrace) {
                // Clients may have come in the meantime, which have to be told as well.
                if driver.context.hasUnsentCloses {
                    Self.sayFarewell(driver, since: start)
                } else {
                    driver.end()
                }
            }
        }
    }

    // MARK: - Connections

    /// Connects to a server. All addresses of the host are tried, the first that answers is taken.
    ///
    /// - Parameters:
    ///   - host: a name or a numeric address.
    ///   - serverName: what the certificate must name, when that is not `host`.
    ///   - applicationProtocols: what to offer, when that is not what the configuration says.
    ///   - timeout: how long all this may take, the name's resolution aside.
    ///   - makeDelegate: called on the loop, once, before the first event, for the connection that succeeded; returns who
    ///     hears of it. With ``QUICConfiguration/allowsEarlyData`` and a ticket it is called before the handshake, and no
    ///     other address is tried: what it writes leaves at once, and if the connection fails, the delegate is told and an
    ///     error is thrown. The ticket is used up then, so that the next attempt is made without.
    /// - Returns: the connection, which can send.
    /// - Throws: `invalidConfiguration` for protocols that cannot be offered; `nameNotResolved`, `unreachable`, `handshakeTimeout`, `certificateRejected`, `noCommonProtocol`,
    ///   `refused`, `handshakeFailed`, `stopped`; each message names the host.
    @discardableResult
    public func connect(
        to host: String,
        port: UInt16,
        serverName: String? = nil,
        applicationProtocols: [String]? = nil,
        timeout: Duration = .seconds(4),
        makeDelegate: @escaping @Sendable (QUICConnection) -> any QUICConnectionDelegate
    ) async throws(QUICError) -> LoopBound<QUICConnection> {
        guard let driver = self.runningDriver else {
            throw QUICError(.stopped, "the endpoint does not run")
        }
        let protocols = applicationProtocols ?? self.configuration.applicationProtocols
        try QUICConfiguration.validate(protocols: protocols)
        let families = self.life.withLock { $0.families }
        let addresses = try await NameResolver.resolve(host: host, port: port, families: families)
        let target = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        let pending = PendingConnect()
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<ConnectOutcome, Never>) in
                let accepted = self.loop.post {
                    let connector = QUICConnector(
                        context: driver.context,
                        target: target,
                        name: serverName ?? host,
                        protocols: protocols,
                        addresses: addresses,
                        timeout: timeout,
                        makeDelegate: makeDelegate
                    ) { result in
                        pending.connector = nil
                        continuation.resume(
                            returning: result.map { connection in
                                if connection.delegate == nil {
                                    connection.delegate = makeDelegate(connection)
                                }
                                return LoopBound(connection, on: driver.loop)
                            }
                        )
                    }
                    if pending.isCancelled {
                        connector.cancel()
                    } else {
                        pending.connector = connector
                        connector.start()
                    }
                }
                if !accepted {
                    continuation.resume(returning: .failure(QUICError(.stopped, "the endpoint has stopped")))
                }
            }
        } onCancel: {
            self.loop.post {
                pending.isCancelled = true
                pending.connector?.cancel()
            }
        }
        return try outcome.get()
    }

    private typealias ConnectOutcome = Result<LoopBound<QUICConnection>, QUICError>

    /// Lets a cancelled task find its connector. Unchecked because the loop alone touches the content.
    private final class PendingConnect: @unchecked Sendable {
        var connector: QUICConnector?
        var isCancelled = false
    }

    // MARK: - Counters

    /// How many connections there are now and have been altogether. Zero when the endpoint does not run.
    public func connectionCounts() async -> (live: Int, total: UInt64) {
        guard let driver = self.runningDriver else {
            return (0, 0)
        }
        let counts = try? await self.loop.run {
            (driver.context.connections.count, driver.context.connections.created)
        }
        return counts.map { (live: $0.0, total: $0.1) } ?? (0, 0)
    }

    /// What the endpoint has done so far and what it holds now, in one look; once it has been stopped, what it had done
    /// in the end. All zero before the start and while it is being stopped. Takes time in proportion to the number of
    /// connections, on the loop.
    public func statistics() async -> QUICEndpointStatistics {
        await self.statistics {}.endpoint
    }

    /// The same, and what `body` finds on the loop in the same moment; nil when the endpoint does not run.
    package func statistics<R: Sendable>(
        with body: @escaping @Sendable () -> R
    ) async -> (endpoint: QUICEndpointStatistics, other: R?) {
        if let driver = self.runningDriver,
            let found = try? await self.loop.run({ (driver.context.statistics, body()) })
        {
            return (endpoint: found.0, other: found.1)
        }
        return (endpoint: self.lastStatistics.withLock { $0 }, other: nil)
    }
}
