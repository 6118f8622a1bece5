// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import PacketLoop
import PicoQuic
import WebTransport
import WebTransportPicoQuic

/// An endpoint of its own with one connection to a stage's server, and an attacker on it.
final class Offender: Sendable {
    /// How the attacker's connection ended.
    let journal: Journal
    private let endpoint: PicoQuicExecutor
    private let attacker: LoopBound<Attacker>

    init(stage: Stage, profile: DraftProfile, setsUp: Bool) async throws {
        var configuration = QUICConfiguration(applicationProtocols: [profile.version.alpn])
        configuration.verification = .pinned([stage.certificate.fingerprint])
        configuration.adopt(.init())
        let endpoint = PicoQuicExecutor(label: "offender", configuration: configuration)
        let loop = endpoint.loop
        let journal = Journal()
        let made = Locked<LoopBound<Attacker>?>(nil)
        try await endpoint.start()
        try await endpoint.connect(to: "127.0.0.1", port: stage.address.port) { connection in
            let transport = PicoQuicWebTransport(connection: connection, loop: loop)
            let attacker = try? Attacker(transport, profile: profile, setsUp: setsUp, journal: journal)
            made.withLock { $0 = attacker.map { LoopBound($0, on: loop) } }
            return transport
        }
        guard let attacker = made.withLock({ $0 }) else {
            await endpoint.stop()
            throw QUICError(.systemFailure, "the attacker could not open its control stream")
        }
        self.journal = journal
        self.endpoint = endpoint
        self.attacker = attacker
    }

    /// Does something wrong, on the loop. What cannot be done any more, because the server has closed already, is left out.
    func attack(_ body: @escaping @Sendable (Attacker) throws -> Void) async throws {
        let attacker = self.attacker
        try await self.endpoint.loop.run {
            do {
                try body(attacker.value)
            } catch let error as WebTransportError where error.code == .sessionClosed {
                // Then the journal knows.
            }
        }
    }

    /// Closes the connection, if it is open, and the endpoint.
    func leave() async {
        await self.endpoint.stop()
    }
}
