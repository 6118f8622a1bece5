// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import PicoQuic
import TestSupport
import Testing
import WebTransport
import WebTransportPicoQuic

/// A pair over two endpoints on the loopback interface, each with its own thread.
///
/// Beside the server's endpoint there may be others at its port. Each gets packets of some clients of the
/// others, and hands them over.
final class PicoQuicFixture: TransportFixture {
    /// How long a condition may take.
    private static let patience = Duration.seconds(20) * TestBuild.patience

    private let server: PicoQuicExecutor
    private let servers: [PicoQuicExecutor]
    private let client: PicoQuicExecutor
    private let serverEnd: End
    private let clientEnd: End

    /// Where one loop keeps its end of the pair. Unchecked because only that loop touches the content.
    private final class End: @unchecked Sendable {
        var peer: Peer?

        func start(
            _ connection: QUICConnection,
            loop: PacketLoop,
            _ bounds: WebTransportConfiguration,
            _ sets: Bool
        )
            -> PicoQuicWebTransport
        {
            let session = PicoQuicWebTransport(connection: connection, loop: loop, configuration: bounds)
            let peer = Peer(session: session, loop: loop)
            if sets { session.handler = peer }
            self.peer = peer
            return session
        }
    }

    /// Holds the endpoints for their own acceptors, of which one has got the connection. Set before the endpoints start, never
    /// changed.
    private final class Servers: @unchecked Sendable {
        var loops: [PacketLoop] = []
        let home = Locked<Int?>(nil)
    }

    init(_ configuration: PairConfiguration, packetLoop: PacketLoopKind = .standard, loops: Int = 1) async throws {
        let certificate = try SelfSignedCertificate()
        let serverEnd = End()
        let clientEnd = End()
        self.serverEnd = serverEnd
        self.clientEnd = clientEnd
        var serverConfiguration = QUICConfiguration(
            applicationProtocols: ["conformance"],
            credentials: .selfSigned(certificate)
        )
        serverConfiguration.adopt(configuration.server)
        serverConfiguration.packetLoop = packetLoop
        let reference = Servers()
        let settings = serverConfiguration
        let servers = (0..<loops).map { index in
            PicoQuicExecutor(label: "server", configuration: settings) { connection in
                defer { reference.home.withLock { $0 = index } }
                let loop = reference.loops[index]
                return serverEnd.start(connection, loop: loop, configuration.server, configuration.setsHandlers)
            }
        }
        reference.loops = servers.map(\.loop)
        self.servers = servers
        var clientConfiguration = QUICConfiguration(applicationProtocols: ["conformance"])
        clientConfiguration.verification = .pinned([certificate.fingerprint])
        clientConfiguration.adopt(configuration.client)
        clientConfiguration.packetLoop = packetLoop
        self.client = PicoQuicExecutor(label: "client", configuration: clientConfiguration)
        let address = try await Self.start(servers)
        try await self.client.start(on: .any(port: 0))
        let clientLoop = self.client.loop
        try await self.client.connect(to: "127.0.0.1", port: address.port) { connection in
            clientEnd.start(connection, loop: clientLoop, configuration.client, configuration.setsHandlers)
        }
        try await Self.wait(on: clientLoop, for: "the server's end") { reference.home.withLock { $0 } != nil }
        self.server = servers[reference.home.withLock { $0 } ?? 0]
    }

    /// Has the endpoints listen, at one port. The kernel does not know which packets are for which.
    private static func start(_ servers: [PicoQuicExecutor]) async throws -> QUICAddress {
        guard servers.count > 1 else {
            return try await servers[0].start(on: .loopback(port: 0))
        }
        let members = PortGroup(count: servers.count, asksKernel: false).members
        let port = try SharedPort(.loopback(port: 0))
        let address = port.address
        _ = try await servers[0].start(on: address, member: members[0], isAccepting: true)
        port.release()
        for (server, member) in zip(servers, members).dropFirst() {
            _ = try await server.start(on: address, member: member, isAccepting: true)
        }
        return address
    }

    private func end(_ side: WebTransportRole) -> End {
        side == .client ? self.clientEnd : self.serverEnd
    }

    private func loop(_ side: WebTransportRole) -> PacketLoop {
        side == .client ? self.client.loop : self.server.loop
    }

    func on<R: Sendable>(_ side: WebTransportRole, _ body: @escaping @Sendable (Peer) throws -> R) async throws -> R {
        let end = self.end(side)
        return try await self.loop(side).run {
            guard let peer = end.peer else { throw ConditionNotMet(what: "there is a session") }
            return try body(peer)
        }
    }

    func until(
        _ side: WebTransportRole,
        _ what: String,
        sourceLocation: SourceLocation,
        _ condition: @escaping @Sendable (Peer) -> Bool
    ) async throws {
        let end = self.end(side)
        do {
            try await Self.wait(on: self.loop(side), for: what) { end.peer.map(condition) ?? false }
        } catch {
            Issue.record("did not happen: \(what)", sourceLocation: sourceLocation)
            throw error
        }
    }

    /// Looks again and again, on the loop, whether a condition holds.
    private static func wait(
        on loop: PacketLoop,
        for what: String,
        _ condition: @escaping @Sendable () -> Bool
    ) async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            let isAccepted = loop.post {
                let end = loop.now.advanced(by: Self.patience)
                Self.look(on: loop, until: end, condition) { isMet in
                    if isMet {
                        continuation.resume()
                    } else {
                        continuation.resume(throwing: ConditionNotMet(what: what))
                    }
                }
            }
            if !isAccepted { continuation.resume(throwing: ConditionNotMet(what: what)) }
        }
    }

    private static func look(
        on loop: PacketLoop,
        until end: LoopInstant,
        _ condition: @escaping @Sendable () -> Bool,
        then done: @escaping (Bool) -> Void
    ) {
        if condition() {
            done(true)
        } else if loop.now >= end {
            done(false)
        } else {
            _ = loop.schedule(after: .milliseconds(1)) { Self.look(on: loop, until: end, condition, then: done) }
        }
    }

    /// Looks at one side, also when its loop has ended: then nobody else does.
    func afterwards<R: Sendable>(
        _ side: WebTransportRole,
        _ body: @escaping @Sendable (Peer) throws -> R
    ) async throws -> R {
        guard self.loop(side).isStopped, let peer = self.end(side).peer else {
            return try await self.on(side, body)
        }
        return try body(peer)
    }

    /// Stops the server's endpoint, closing its connections.
    func stopServer(code: UInt64, reason: String) async {
        await self.server.stop(code: code, reason: reason)
    }

    func finish() async {
        await self.client.stop()
        for server in self.servers {
            await server.stop()
        }
        // The peers hold their sessions, and these their connections: take them apart on a thread of their own choosing, now
        // that there are no loops any more.
        for end in [self.clientEnd, self.serverEnd] {
            end.peer?.clear()
            end.peer = nil
        }
    }
}
