// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQ
public import MoQWire
public import PacketLoop
public import PicoQuic
import WebTransport
import WebTransportPicoQuic

/// A MoQ session with a server, on picoquic, with an endpoint of its own.
///
/// ```swift
/// let client = try await MoQPicoQuicClient.connect(to: MoQURL("moqt://relay.example/live")) { loop in
///     MyHandler(loop: loop)
/// }
/// try await client.withSession { session in … }
/// await client.close()
/// ```
public final class MoQPicoQuicClient: Sendable {
    /// The loop that the session runs on.
    public var loop: PacketLoop { self.endpoint.loop }

    /// The session. Only the loop may look inside.
    public let session: LoopBound<MoQSession>

    /// The draft that the server chose.
    public let draft: DraftVersion

    /// Whether the connection resumed an earlier one (see `QUICConfiguration.ticketStore`).
    public let isResumed: Bool

    /// Whether SETUP went with the first flight, and whether the server took it then.
    public let earlyData: QUICConnection.EarlyData

    private let endpoint: PicoQuicExecutor

    /// What the session had done when it was closed from here.
    private let lastStatistics = Locked(MoQSessionStatistics())

    private init(
        endpoint: PicoQuicExecutor,
        session: LoopBound<MoQSession>,
        draft: DraftVersion,
        isResumed: Bool,
        earlyData: QUICConnection.EarlyData
    ) {
        self.endpoint = endpoint
        self.session = session
        self.draft = draft
        self.isResumed = isResumed
        self.earlyData = earlyData
    }

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
    ///     closed, before the error is thrown.
    /// - Throws: `nameNotResolved`, `unreachable`, `handshakeTimeout`; `certificateRejected`; `noCommonProtocol`, when
    ///   the server speaks none of the drafts; what is wrong with the configuration. Each message names the server, the
    ///   setting or the file.
    public static func connect(
        to url: MoQURL,
        configuration: MoQEndpointConfiguration = MoQEndpointConfiguration(),
        sessionConfiguration: MoQSessionConfiguration = MoQSessionConfiguration(),
        timeout: Duration = .seconds(4),
        makeHandler: @escaping @Sendable (PacketLoop) -> any MoQSessionHandler
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
        let resumption = try? await loop.run { (connection.value.isResumed, connection.value.earlyData) }
        return MoQPicoQuicClient(
            endpoint: endpoint,
            session: made.session,
            draft: made.draft,
            isResumed: resumption?.0 ?? false,
            earlyData: resumption?.1 ?? .none
        )
    }

    private struct Made {
        var session: LoopBound<MoQSession>
        var draft: DraftVersion
    }

    private static func inTermsOfDrafts(
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

    /// Does something with the session, on its loop.
    /// - Throws: what `body` throws; ``PacketLoopError/stopped`` after ``close(code:reason:)``.
    public func withSession<R: Sendable>(_ body: @escaping @Sendable (MoQSession) throws -> R) async throws -> R {
        let session = self.session
        return try await self.loop.run { try body(session.value) }
    }

    /// Ends the session and the endpoint; the server hears of it. Returns when everything is released. Idempotent.
    public func close(code: SessionErrorCode = .noError, reason: String = "") async {
        let session = self.session
        let statistics = try? await self.loop.run {
            session.value.close(code, reason: reason)
            return session.value.statistics
        }
        if let statistics {
            self.lastStatistics.withLock { $0 = statistics }
        }
        await self.endpoint.stop()
    }

    /// How many connections the endpoint has now, and has had.
    public func connectionCounts() async -> (live: Int, total: UInt64) {
        await self.endpoint.connectionCounts()
    }

    /// What the client has done so far and what it holds now, in one look; after ``close(code:reason:)``, what it had
    /// done in the end, with the path as it was then.
    public func statistics() async -> MoQEndpointStatistics {
        let session = self.session
        let (endpoint, found) = await self.endpoint.statistics {
            (isOpen: session.value.isOpen, statistics: session.value.statistics)
        }
        var statistics = MoQEndpointStatistics()
        statistics.quic = endpoint
        statistics.sessionsCreated = 1
        statistics.sessionsLive = found?.isOpen == true ? 1 : 0
        statistics.sessionsEnded = found?.isOpen == true ? 0 : 1
        statistics.sessions = found?.statistics ?? self.lastStatistics.withLock { $0 }
        return statistics
    }
}
