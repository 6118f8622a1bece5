// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import Logging
public import MoQ
public import MoQWire
public import PacketLoop
public import PicoQuic
public import WebTransport
import WebTransportPicoQuic

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
/// await server.drain(timeout: .seconds(5))
/// await server.stop()
/// ```
public final class MoQPicoQuicServer: Sendable {
    /// Makes and starts the session of a connection, on the loop, or returns nil to refuse the connection.
    public typealias Acceptor = (_ transport: any WebTransportSession, _ profile: DraftProfile) -> MoQSession?

    /// How often ``drain(timeout:)`` looks whether the sessions have ended.
    private static let drainStep: Duration = .milliseconds(10)

    /// How long clients may be slower than the timeout they were told.
    private static let drainGrace: Duration = .milliseconds(250)

    /// What the server is like.
    public let configuration: MoQEndpointConfiguration

    private let endpoint: PicoQuicExecutor
    private let desk: Desk

    /// What belongs to the loop. Unchecked because it is touched there only.
    private final class Desk: @unchecked Sendable {
        let makeAcceptor: @Sendable (PacketLoop) -> Acceptor
        let roster = SessionRoster()
        var acceptor: Acceptor?

        init(makeAcceptor: @escaping @Sendable (PacketLoop) -> Acceptor) {
            self.makeAcceptor = makeAcceptor
        }

        func release() {
            self.acceptor = nil
        }
    }

    /// Creates a server. Nothing is opened before the start.
    ///
    /// - Parameters:
    ///   - label: the name of the loop's thread.
    ///   - log: is told of clients that get no session because no draft is in common.
    ///   - makeAcceptor: called once, on the loop, when the server starts; returns what is called for each connection.
    public init(
        configuration: MoQEndpointConfiguration,
        label: String = "moq-server",
        log: Logger = Logger(label: "moq.server"),
        makeAcceptor: @escaping @Sendable (PacketLoop) -> Acceptor
    ) {
        let desk = Desk(makeAcceptor: makeAcceptor)
        let box = EndpointLoop()
        self.configuration = configuration
        self.desk = desk
        self.endpoint = PicoQuicExecutor(label: label, configuration: configuration.effectiveQUIC, log: log) {
            connection in
            guard let loop = box.loop, let acceptor = desk.acceptor else {
                return nil
            }
            guard let profile = configuration.profile(for: connection.applicationProtocol) else {
                Self.turnAway(connection, log: log)
                return nil
            }
            let transport = PicoQuicWebTransport(
                connection: connection,
                loop: loop,
                configuration: configuration.transport
            )
            // A refused session has closed the connection itself, with its own code and words.
            if let session = acceptor(transport, profile) {
                desk.roster.add(session)
            }
            return transport
        }
        box.loop = self.endpoint.loop
    }

    /// Closes a connection whose protocol is none of the drafts: what it would speak nobody can know. (loop)
    static func turnAway(_ connection: QUICConnection, log: Logger) {
        let name = connection.applicationProtocol.map { $0.prefix(32).debugDescription } ?? "no application protocol"
        log.info(
            "client refused: no draft goes with its application protocol",
            metadata: ["peer": "\(connection.peerAddress?.description ?? "unknown")", "protocol": "\(name)"]
        )
        // Every draft writes this code alike.
        connection.close(
            code: SessionErrorCode.versionNegotiationFailed.wireValue(in: .draft18),
            reason: "no draft goes with \(name)"
        )
    }

    /// The loop that everything of the server runs on.
    public var loop: PacketLoop { self.endpoint.loop }

    // MARK: - Start, drain, stop

    /// Opens the sockets. Returns when clients can connect.
    ///
    /// - Returns: the address with the port that the system chose, if it had the choice.
    /// - Throws: what is wrong with the configuration, the files or the address, each named. A server cannot be started
    ///   twice.
    @discardableResult
    public func start(on address: QUICAddress) async throws(QUICError) -> QUICAddress {
        guard self.configuration.quic.credentials != nil else {
            throw QUICError(.invalidConfiguration, "a server needs a certificate and a key")
        }
        try self.configuration.validate()
        let desk = self.desk
        let loop = self.endpoint.loop
        // Runs in the loop's first round, before any packet.
        loop.post { desk.acceptor = desk.makeAcceptor(loop) }
        return try await self.endpoint.start(on: address)
    }

    /// Asks all clients to leave (GOAWAY) and waits until they have, but not much longer than `timeout`.
    ///
    /// Sessions that are left then are closed by ``stop(code:reason:)``.
    /// - Returns: whether all sessions have ended.
    @discardableResult
    public func drain(timeout: Duration) async -> Bool {
        let desk = self.desk
        let loop = self.loop
        guard self.endpoint.isRunning else {
            return true
        }
        return await withCheckedContinuation { continuation in
            let accepted = loop.post {
                let answer = DrainAnswer(continuation, desk.roster)
                for session in desk.roster.open {
                    session.sendGoaway(timeout: timeout)
                }
                let deadline = loop.now.advanced(by: timeout).advanced(by: Self.drainGrace)
                Self.watch(answer, loop, until: deadline)
            }
            if !accepted {
                continuation.resume(returning: true)
            }
        }
    }

    /// Looks again and again. When the loop ends in the middle of it, the timer goes, and the answer with it.
    private static func watch(_ answer: DrainAnswer, _ loop: PacketLoop, until deadline: LoopInstant) {
        guard !answer.isEverybodyGone, loop.now < deadline else {
            return
        }
        loop.schedule(after: self.drainStep) { Self.watch(answer, loop, until: deadline) }
    }

    /// Answers ``drain(timeout:)`` when the last who watches lets go of it: the waiting is over, or the loop is. (loop)
    private final class DrainAnswer {
        private let continuation: CheckedContinuation<Bool, Never>
        private let roster: SessionRoster

        init(_ continuation: CheckedContinuation<Bool, Never>, _ roster: SessionRoster) {
            self.continuation = continuation
            self.roster = roster
        }

        deinit {
            self.continuation.resume(returning: self.isEverybodyGone)
        }

        var isEverybodyGone: Bool { self.roster.open.isEmpty }
    }

    /// Closes every session and the sockets. Every client hears of it within a second. Idempotent.
    public func stop(code: SessionErrorCode = .noError, reason: String = "") async {
        let desk = self.desk
        if self.endpoint.isRunning {
            _ = try? await self.loop.run {
                for session in desk.roster.open {
                    session.close(code, reason: reason)
                }
                desk.release()
            }
        }
        // For connections that have no session yet. Every draft writes these codes alike.
        await self.endpoint.stop(code: code.wireValue(in: .draft18), reason: reason)
    }

    // MARK: - Counters

    /// How many connections there are now, and how many there have been.
    public func connectionCounts() async -> (live: Int, total: UInt64) {
        await self.endpoint.connectionCounts()
    }

    /// What the server has done so far and what it holds now, in one look; once it has been stopped, what it had done in
    /// the end. Takes time in proportion to the number of connections, on the loop.
    public func statistics() async -> MoQEndpointStatistics {
        let desk = self.desk
        let (endpoint, sessions) = await self.endpoint.statistics {
            var statistics = MoQEndpointStatistics()
            desk.roster.reportEnded(in: &statistics)
            let open = desk.roster.openStatistics
            statistics.sessionsLive = open.count
            statistics.sessions.add(open.sum)
            return statistics
        }
        var statistics = MoQEndpointStatistics()
        if let sessions {
            statistics = sessions
        } else {
            desk.roster.reportEnded(in: &statistics)
        }
        statistics.quic = endpoint
        return statistics
    }

    /// Lets the endpoint's callback know the endpoint's loop. Unchecked because it is written once, before the endpoint
    /// can be started.
    private final class EndpointLoop: @unchecked Sendable {
        weak var loop: PacketLoop?
    }
}
