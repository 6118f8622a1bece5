// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import PicoQuic
import TestSupport
import Testing
import WebTransport
import WebTransportPicoQuic

/// A pair over two endpoints on the loopback interface, each with its own thread.
final class PicoQuicFixture: TransportFixture {
    /// How long a condition may take.
    private static let patience = Duration.seconds(20) * TestBuild.patience

    private let server: PicoQuicExecutor
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

    /// Holds the endpoint's loop for its own acceptor. Set before the endpoint starts, never changed.
    private final class LoopReference: @unchecked Sendable {
        var loop: PacketLoop?
    }

    init(_ configuration: PairConfiguration, packetLoop: PacketLoopKind = .standard) async throws {
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
        let reference = LoopReference()
        self.server = PicoQuicExecutor(label: "server", configuration: serverConfiguration) { connection in
            guard let loop = reference.loop else { return nil }
            return serverEnd.start(connection, loop: loop, configuration.server, configuration.setsHandlers)
        }
        reference.loop = self.server.loop
        var clientConfiguration = QUICConfiguration(applicationProtocols: ["conformance"])
        clientConfiguration.verification = .pinned([certificate.fingerprint])
        clientConfiguration.adopt(configuration.client)
        clientConfiguration.packetLoop = packetLoop
        self.client = PicoQuicExecutor(label: "client", configuration: clientConfiguration)
        let address = try await self.server.start(on: .loopback(port: 0))
        try await self.client.start(on: .any(port: 0))
        let clientLoop = self.client.loop
        try await self.client.connect(to: "127.0.0.1", port: address.port) { connection in
            clientEnd.start(connection, loop: clientLoop, configuration.client, configuration.setsHandlers)
        }
        try await Self.wait(on: self.server.loop, for: "the server's end") { serverEnd.peer != nil }
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
        await self.server.stop()
        // The peers hold their sessions, and these their connections: take them apart on a thread of their own choosing, now
        // that there are no loops any more.
        for end in [self.clientEnd, self.serverEnd] {
            end.peer?.clear()
            end.peer = nil
        }
    }
}
