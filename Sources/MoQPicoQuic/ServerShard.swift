// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Logging
import MoQ
import MoQWire
import PacketLoop
import PicoQuic

/// One loop of a server: the QUIC endpoint that lends it a thread, and the desk where connections arrive.
final class ServerShard: Sendable {
    /// How often ``drain(timeout:)`` looks whether the sessions have ended.
    private static let drainStep: Duration = .milliseconds(10)

    /// How long clients may be slower than the timeout they were told.
    private static let drainGrace: Duration = .milliseconds(250)

    let endpoint: PicoQuicExecutor
    let desk: ServerDesk

    init(label: String, configuration: MoQEndpointConfiguration, quic: QUICConfiguration, log: Logger) {
        let desk = ServerDesk(configuration: configuration, log: log)
        self.desk = desk
        self.endpoint = PicoQuicExecutor(label: label, configuration: quic, log: log) { connection in
            desk.accept(connection)
        } onFailure: { reason in
            desk.fail(reason)
        }
        desk.loop = self.endpoint.loop
    }

    /// The loop.
    var loop: PacketLoop { self.endpoint.loop }

    /// Opens the sockets and starts the thread. Clients are not answered before ``admitClients()``.
    func start(on address: QUICAddress, as member: PortGroup.Member? = nil) async throws(QUICError) -> QUICAddress {
        try await self.endpoint.start(on: address, member: member, isAccepting: false)
    }

    /// Makes the acceptor, on the loop. From now on clients of this process can come, if `takesLinks` says so.
    func open(
        takesLinks: Bool,
        _ makeAcceptor: @escaping @Sendable (PacketLoop) -> MoQPicoQuicServer.Acceptor
    ) async throws(QUICError) {
        let desk = self.desk
        let loop = self.loop
        let made: Void? = try? await loop.run { desk.open(makeAcceptor(loop), takesLinks: takesLinks) }
        guard made != nil else {
            throw QUICError(.stopped, "the endpoint has stopped")
        }
    }

    /// Lets clients of the network in, after ``open(takesLinks:_:)``.
    func admitClients() async throws(QUICError) {
        try await self.endpoint.acceptClients()
    }

    /// Sends GOAWAY to every client and waits until they have left, not much longer than `timeout`. The loop must have
    /// been started.
    /// - Returns: whether all have left; false as well when the task is cancelled.
    func drain(timeout: Duration) async -> Bool {
        let desk = self.desk
        let start = ContinuousClock.now
        while let isEmpty = try? await self.loop.run({ desk.askToLeave(within: timeout) }) {
            if isEmpty {
                return true
            }
            guard ContinuousClock.now - start - Self.drainGrace < timeout else {
                return false
            }
            do {
                try await Task.sleep(for: Self.drainStep)
            } catch {
                return false
            }
        }
        // The loop has ended, and with it every session.
        return true
    }

    /// Closes every session, then the endpoint.
    func stop(code: SessionErrorCode, reason: String) async {
        let desk = self.desk
        if self.endpoint.isRunning {
            _ = try? await self.loop.run { desk.close(code, reason: reason) }
        }
        // For connections that have no session yet. Every draft writes these codes alike.
        await self.endpoint.stop(code: code.wireValue(in: .draft18), reason: reason)
    }

    /// How many connections there are now, and how many there have been.
    func connectionCounts() async -> (live: Int, total: UInt64) {
        guard self.endpoint.isRunning else {
            return (0, 0)
        }
        let desk = self.desk
        let network = await self.endpoint.connectionCounts()
        let local = try? await self.loop.run { (desk.liveLinks, desk.linksMade) }
        return (network.live + (local?.0 ?? 0), network.total &+ (local?.1 ?? 0))
    }

    /// What the shard has done so far and what it holds now, in one look.
    func statistics() async -> MoQEndpointStatistics {
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

    /// Starts the session of a client of this process.
    func connect(
        _ configuration: MoQEndpointConfiguration,
        session: MoQSessionConfiguration,
        makeHandler: @escaping @Sendable (PacketLoop) -> any MoQSessionHandler
    ) async throws(QUICError) -> (session: LoopBound<MoQSession>, draft: DraftVersion) {
        let desk = self.desk
        let loop = self.loop
        let outcome = try? await loop.run {
            Result { () throws(QUICError) in
                let session = try desk.connect(configuration, session: session, handler: makeHandler(loop))
                return (session: LoopBound(session, on: loop), draft: session.profile.version)
            }
        }
        guard let outcome else {
            throw QUICError(.stopped, "the server has stopped")
        }
        return try outcome.get()
    }
}
