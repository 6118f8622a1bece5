// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Logging
import PacketLoop
import PicoQuic
import Testing

extension Tag {
    /// Uses real sockets on the loopback interface.
    @Tag static var network: Self
}

/// A server on the loopback interface and a client endpoint beside it.
struct Fixture {
    let certificate: SelfSignedCertificate
    let server: PicoQuicExecutor
    let client: PicoQuicExecutor
    let address: QUICAddress
    let serverWitness = Witness()
    let accepted = Accepted()

    /// The connections that the server accepted. Unchecked because only the server's loop touches the content.
    final class Accepted: @unchecked Sendable {
        var connections: [QUICConnection] = []
    }

    init(
        serverProtocols: [String] = ["echo"],
        clientProtocols: [String] = ["echo"],
        verification: QUICConfiguration.Verification? = nil,
        listen: QUICAddress = .loopback(port: 0),
        certificate: SelfSignedCertificate? = nil,
        log: Logger = Logger(label: "test"),
        adjust: (inout QUICConfiguration) -> Void = { _ in }
    ) async throws {
        self.certificate = try certificate ?? SelfSignedCertificate()
        var serverConfiguration = QUICConfiguration(
            applicationProtocols: serverProtocols,
            credentials: .selfSigned(self.certificate)
        )
        adjust(&serverConfiguration)
        var clientConfiguration = QUICConfiguration(applicationProtocols: clientProtocols)
        clientConfiguration.verification = verification ?? .pinned([self.certificate.fingerprint])
        adjust(&clientConfiguration)
        let witness = self.serverWitness
        let accepted = self.accepted
        self.server = PicoQuicExecutor(
            label: "test-server",
            configuration: serverConfiguration,
            log: log
        ) { connection in
            accepted.connections.append(connection)
            return EchoDelegate(witness: witness, echoes: true)
        }
        self.client = PicoQuicExecutor(label: "test-client", configuration: clientConfiguration, log: log)
        self.address = try await self.server.start(on: listen)
        try await self.client.start()
    }

    /// Connects; what happens to the connection can be seen in the witness.
    func connect(host: String? = nil, port: UInt16? = nil, timeout: Duration = .seconds(4)) async throws -> Link {
        let witness = Witness()
        let connection = try await self.client.connect(
            to: host ?? self.address.host,
            port: port ?? self.address.port,
            timeout: timeout
        ) { _ in
            EchoDelegate(witness: witness, echoes: false)
        }
        return Link(connection: connection, witness: witness, loop: self.client.loop)
    }

    /// Looks at the connection that the server accepted last, on its loop.
    func atServer<R: Sendable>(_ body: @escaping @Sendable (QUICConnection) throws -> R) async throws -> R {
        let accepted = self.accepted
        return try await self.server.loop.run {
            guard let connection = accepted.connections.last else {
                throw QUICError(.invalidState, "the server has accepted nothing")
            }
            return try body(connection)
        }
    }

    /// Looks again and again until a condition holds; at most twenty seconds.
    func eventually(_ what: Comment, _ condition: () async throws -> Bool) async throws {
        let end = ContinuousClock.now.advanced(by: .seconds(20))
        while try await !condition() {
            guard ContinuousClock.now < end else {
                Issue.record(what)
                return
            }
        }
    }

    func stop() async {
        await self.client.stop()
        await self.server.stop()
        // They belong to the server's loop, which has ended.
        self.accepted.connections = []
    }
}

/// A client's connection.
struct Link {
    let connection: LoopBound<QUICConnection>
    let witness: Witness
    let loop: PacketLoop

    /// Does something with the connection, on its loop.
    func run<R: Sendable>(_ body: @escaping @Sendable (QUICConnection, EchoDelegate) throws -> R) async throws -> R {
        let connection = self.connection
        return try await self.loop.run {
            let connection = connection.value
            guard let delegate = connection.delegate as? EchoDelegate else {
                throw QUICError(.connectionClosed, "the connection has no delegate")
            }
            return try body(connection, delegate)
        }
    }

    /// Opens a stream and sends bytes on it.
    func send(_ bytes: [UInt8], isUnidirectional: Bool = false, isFinished: Bool = true) async throws -> UInt64 {
        try await self.run { connection, delegate in
            let stream = try connection.openStream(
                isUnidirectional: isUnidirectional,
                token: delegate.makeToken()
            )
            delegate.send(bytes, isFinished: isFinished, stream: stream, on: connection)
            return stream
        }
    }
}
