// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQ
public import MoQWire
public import PacketLoop
public import PicoQuic
import Synchronization
import WebTransport
import WebTransportPicoQuic

/// A MoQ session with a server, on picoquic, with an endpoint of its own, or with a server in the same process.
///
/// ```swift
/// let client = try await MoQPicoQuicClient.connect(to: MoQURL("moqt://relay.example/live"))
/// for try await object in try await client.session.subscribe(SubscribeRequest(track: name)) { … }
/// await client.close()
/// ```
///
/// A client has to be closed; ``withConnection(to:configuration:sessionConfiguration:timeout:makeHandler:_:)`` sees to it.
/// One that is dropped instead is closed all the same, which is counted in `PicoQuicExecutor.abandonedCount`, logged as an
/// error, and in a debug build stops the process, because it is a mistake of the program.
public final class MoQPicoQuicClient: Sendable {
    /// What the session needs to go on.
    private enum Basis: Sendable {
        /// A QUIC endpoint of its own.
        case endpoint(PicoQuicExecutor)
        /// The loop of a server in this process.
        case server(MoQPicoQuicServer, shard: Int)
    }

    /// The session. Only the loop may look inside.
    public let session: LoopBound<MoQSession>

    /// The draft that the server chose.
    public let draft: DraftVersion

    /// Whether the connection resumed an earlier one (see `QUICConfiguration.ticketStore`).
    public let isResumed: Bool

    /// Whether SETUP went with the first flight, and whether the server took it then.
    public let earlyData: QUICConnection.EarlyData

    /// The destination connection id of the first packet in hexadecimal, by which qlog files are named; empty in process.
    public let connectionID: String

    /// How long ``close(code:reason:)`` waits for the server to confirm what was sent, and how often it looks.
    private static let deliveryTimeout = Duration.milliseconds(500)
    private static let deliveryInterval = Duration.milliseconds(2)

    /// How a client of an endpoint of its own got there.
    private struct Origin: Sendable {
        var url: MoQURL
        var configuration: MoQEndpointConfiguration
        var session: MoQSessionConfiguration
    }

    private let basis: Basis
    /// Nil in process.
    private let origin: Origin?
    private let isClosed = Atomic<Bool>(false)

    /// What the session had done when it was closed from here.
    private let lastStatistics = Locked(MoQSessionStatistics())

    private init(
        basis: Basis,
        origin: Origin? = nil,
        session: LoopBound<MoQSession>,
        draft: DraftVersion,
        isResumed: Bool,
        earlyData: QUICConnection.EarlyData,
        connectionID: [UInt8] = []
    ) {
        self.basis = basis
        self.origin = origin
        self.session = session
        self.draft = draft
        self.isResumed = isResumed
        self.earlyData = earlyData
        self.connectionID = connectionID.map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }

    deinit {
        guard !self.isClosed.load(ordering: .relaxed) else {
            return
        }
        // The last reference may have been dropped on the loop, which cannot wait for its own end.
        Task.detached { [basis, session] in
            await Self.close(session, basis, code: .noError, reason: "")
        }
        Abandonment.report("a MoQPicoQuicClient was dropped while it was open: close() it before")
    }

    /// The loop that the session runs on.
    public var loop: PacketLoop { self.session.loop }

    // MARK: - Connecting

    /// Connects to a server and starts a session with it. Returns when the connection stands and SETUP is on its way;
    /// requests can be made from then on and wait for the server's SETUP by themselves.
    ///
    /// - Parameters:
    ///   - url: where to; its authority and path are told to the server.
    ///   - configuration: the drafts to offer, how to verify the server, limits.
    ///   - sessionConfiguration: the session's; authority and path are filled in.
    ///   - timeout: how long connecting may take.
    ///   - makeHandler: called once, on the loop; the session holds the handler until its end. With a ticket of the server
    ///     this happens before it has answered, and when it then cannot be reached, the handler is told that the session is
    ///     closed, before the error is thrown. Without one everything that the server asks for is refused, apart from the
    ///     tracks that a `TrackWriter` publishes.
    /// - Throws: `nameNotResolved`, `unreachable`, `handshakeTimeout`; `certificateRejected`; `noCommonProtocol`, when
    ///   the server speaks none of the drafts; what is wrong with the configuration. Each message names the server, the
    ///   setting or the file.
    public static func connect(
        to url: MoQURL,
        configuration: MoQEndpointConfiguration = MoQEndpointConfiguration(),
        sessionConfiguration: MoQSessionConfiguration = MoQSessionConfiguration(),
        timeout: Duration = .seconds(4),
        makeHandler: @escaping @Sendable (PacketLoop) -> any MoQSessionHandler = { _ in RefusingHandler() }
    ) async throws(QUICError) -> MoQPicoQuicClient {
        try configuration.validate()
        var ours = sessionConfiguration
        ours.setup.authority = url.authority
        ours.setup.path = url.pathAndQuery
        let sessionConfiguration = ours
        let endpoint = PicoQuicExecutor(label: "moq-client", configuration: configuration.effectiveQUIC)
        let loop = endpoint.loop
        try await endpoint.start()
        let made = Locked<Made?>(nil)
        let connection: LoopBound<QUICConnection>
        do throws(QUICError) {
            connection = try await endpoint.connect(to: url.host, port: url.port, timeout: timeout) { connection in
                let transport = PicoQuicWebTransport(
                    connection: connection,
                    loop: loop,
                    configuration: configuration.transport
                )
                // The server can only have chosen what was offered; anything else leaves nothing made.
                if let profile = configuration.profile(for: connection.applicationProtocol) {
                    let session = MoQSession(
                        transport: transport,
                        loop: loop,
                        profile: profile,
                        configuration: sessionConfiguration,
                        handler: makeHandler(loop)
                    )
                    session.start()
                    made.withLock { $0 = Made(session: LoopBound(session, on: loop), draft: profile.version) }
                }
                return transport
            }
        } catch {
            await endpoint.stop()
            throw Self.inTermsOfDrafts(error, url: url, configuration: configuration)
        }
        guard let made = made.withLock({ $0 }) else {
            await endpoint.stop()
            throw QUICError(.noCommonProtocol, "\(url.authority) chose a protocol that was not offered")
        }
        let facts = try? await loop.run {
            (connection.value.isResumed, connection.value.earlyData, connection.value.initialConnectionID)
        }
        return MoQPicoQuicClient(
            basis: .endpoint(endpoint),
            origin: Origin(url: url, configuration: configuration, session: sessionConfiguration),
            session: made.session,
            draft: made.draft,
            isResumed: facts?.0 ?? false,
            earlyData: facts?.1 ?? .none,
            connectionID: facts?.2 ?? []
        )
    }

    /// Joins a server of this process and starts a session with it, without sockets, on a loop of the server: what the
    /// client and the server do for each other needs no other thread. The server has to listen in process
    /// (``MoQListener/inProcess``), and is kept as long as the client.
    ///
    /// - Parameters:
    ///   - server: which has been started.
    ///   - shard: on which of the server's loops.
    ///   - configuration: the drafts to offer and the limits of the session; the QUIC endpoint's part has no meaning.
    ///   - sessionConfiguration: the session's. Who wants to tell the server an authority and a path fills them in.
    ///   - makeHandler: called once, on the loop; the session holds the handler until its end.
    /// - Throws: `noCommonProtocol`; `refused` when the server has too many such clients; `stopped` when it does not
    ///   listen in process, or not any more.
    public static func connect(
        to server: MoQPicoQuicServer,
        shard: Int = 0,
        configuration: MoQEndpointConfiguration = MoQEndpointConfiguration(),
        sessionConfiguration: MoQSessionConfiguration = MoQSessionConfiguration(),
        makeHandler: @escaping @Sendable (PacketLoop) -> any MoQSessionHandler = { _ in RefusingHandler() }
    ) async throws(QUICError) -> MoQPicoQuicClient {
        try configuration.validate()
        let made = try await server.connect(
            configuration,
            shard: shard,
            session: sessionConfiguration,
            makeHandler: makeHandler
        )
        return MoQPicoQuicClient(
            basis: .server(server, shard: shard),
            session: made.session,
            draft: made.draft,
            isResumed: false,
            earlyData: .none
        )
    }

    /// Waits until the server asks its clients to leave (GOAWAY), and connects to where it says: another server, or the same
    /// address, where a server that is restarted answers again.
    ///
    /// This client stays open, and what is under way goes on, until it is closed. So nothing need be missed: make the
    /// requests anew with the successor, and close this client when they have been answered.
    ///
    /// - Parameters:
    ///   - timeout: how long connecting may take.
    ///   - makeHandler: as in ``connect(to:configuration:sessionConfiguration:timeout:makeHandler:)``, whose configuration
    ///     this client had is used again.
    /// - Throws: `MoQError`, `sessionClosed` when the session ends without a GOAWAY, `cancelled`, and `invalidState` for a
    ///   client in process; `MoQURL.ParseError` when the server names no such URL; what connecting throws.
    public func successor(
        timeout: Duration = .seconds(4),
        makeHandler: @escaping @Sendable (PacketLoop) -> any MoQSessionHandler = { _ in RefusingHandler() }
    ) async throws -> MoQPicoQuicClient {
        guard let origin = self.origin else {
            throw MoQError(code: .invalidState, message: "a client in process belongs to its server")
        }
        let goaway = try await self.session.goaway()
        let url = try goaway.newSessionURI.map { try MoQURL($0) } ?? origin.url
        return try await Self.connect(
            to: url,
            configuration: origin.configuration,
            sessionConfiguration: origin.session,
            timeout: timeout,
            makeHandler: makeHandler
        )
    }

    private struct Made {
        var session: LoopBound<MoQSession>
        var draft: DraftVersion
    }

    /// Says of an error that no draft is in common in which terms that is so.
    static func inTermsOfDrafts(
        _ error: QUICError,
        url: MoQURL,
        configuration: MoQEndpointConfiguration
    ) -> QUICError {
        guard error.code == .noCommonProtocol else {
            return error
        }
        let drafts = configuration.drafts.map(\.description).joined(separator: ", ")
        return QUICError(
            .noCommonProtocol,
            "no common draft: \(url.authority) speaks none of \(drafts)",
            wireCode: error.wireCode
        )
    }

    // MARK: - Use and end

    /// Does something with the session, on its loop.
    /// - Throws: what `body` throws; ``PacketLoopError/stopped`` after ``close(code:reason:)``.
    public func withSession<R: Sendable>(_ body: @escaping @Sendable (MoQSession) throws -> R) async throws -> R {
        guard !self.isClosed.load(ordering: .relaxed) else {
            throw PacketLoopError.stopped
        }
        let session = self.session
        return try await self.loop.run { try body(session.value) }
    }

    /// Ends the session and the endpoint; the server hears of it. Returns when everything is released, and does so even
    /// for a cancelled task. Idempotent.
    ///
    /// Without an error, what was sent before is delivered first, the end of a track for instance; a server that confirms
    /// nothing is waited for half a second. A cancelled task does not wait.
    public func close(code: SessionErrorCode = .noError, reason: String = "") async {
        self.isClosed.store(true, ordering: .relaxed)
        if let statistics = await Self.close(self.session, self.basis, code: code, reason: reason) {
            self.lastStatistics.withLock { $0 = statistics }
        }
    }

    /// Closes session and endpoint.
    /// - Returns: what the session had done in the end; nil when it is out of reach.
    @discardableResult
    private static func close(
        _ session: LoopBound<MoQSession>,
        _ basis: Basis,
        code: SessionErrorCode,
        reason: String
    ) async -> MoQSessionStatistics? {
        if code == .noError {
            await self.waitForDelivery(session)
        }
        let statistics = try? await session.loop.run {
            session.value.close(code, reason: reason)
            return session.value.statistics
        }
        if case .endpoint(let endpoint) = basis {
            await endpoint.stop()
        }
        return statistics
    }

    /// Returns when the server has confirmed all that was sent, or when that takes too long.
    private static func waitForDelivery(_ session: LoopBound<MoQSession>) async {
        // The transport does not tell when it is quiet, so it is looked at.
        let deadline = ContinuousClock.now.advanced(by: Self.deliveryTimeout)
        while ContinuousClock.now < deadline,
            (try? await session.loop.run { session.value.hasUnconfirmedData }) == true,
            (try? await Task.sleep(for: Self.deliveryInterval)) != nil
        {}
    }

    /// How many connections the endpoint has now, and has had; in process, those of the server's shard.
    public func connectionCounts() async -> (live: Int, total: UInt64) {
        switch self.basis {
        case .endpoint(let endpoint): await endpoint.connectionCounts()
        case .server(let server, let shard): await server.shards[shard].connectionCounts()
        }
    }

    /// What the client has done so far and what it holds now, in one look; after ``close(code:reason:)``, what it had
    /// done in the end, with the path as it was then. In process there is no endpoint to tell of.
    public func statistics() async -> MoQEndpointStatistics {
        let session = self.session
        let look: @Sendable () -> (isOpen: Bool, statistics: MoQSessionStatistics) = {
            (isOpen: session.value.isOpen, statistics: session.value.statistics)
        }
        var statistics = MoQEndpointStatistics()
        let found: (isOpen: Bool, statistics: MoQSessionStatistics)?
        switch self.basis {
        case .endpoint(let endpoint):
            (statistics.quic, found) = await endpoint.statistics(with: look)
        case .server:
            found = try? await self.loop.run(look)
        }
        statistics.sessionsCreated = 1
        statistics.sessionsLive = found?.isOpen == true ? 1 : 0
        statistics.sessionsEnded = found?.isOpen == true ? 0 : 1
        statistics.sessions = found?.statistics ?? self.lastStatistics.withLock { $0 }
        return statistics
    }
}
