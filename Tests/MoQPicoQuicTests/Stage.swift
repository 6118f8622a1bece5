// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQPicoQuic
import MoQWire
import PicoQuic

/// A server on the loopback interface, and the means to connect to it.
struct Stage {
    let certificate: SelfSignedCertificate
    let server: MoQPicoQuicServer
    let address: QUICAddress
    let atServer = Journal()

    init(
        drafts: [DraftVersion] = DraftProfile.all.map(\.version),
        adjust: (inout QUICConfiguration) -> Void = { _ in }
    ) async throws {
        self.certificate = try SelfSignedCertificate()
        let journal = self.atServer
        var configuration = MoQEndpointConfiguration(drafts: drafts, credentials: .selfSigned(self.certificate))
        adjust(&configuration.quic)
        self.server = MoQPicoQuicServer(configuration: configuration) { loop in
            { transport, profile in
                let session = MoQSession(
                    transport: transport,
                    loop: loop,
                    profile: profile,
                    handler: TestPeer(journal: journal)
                )
                session.start()
                return session
            }
        }
        self.address = try await self.server.start(on: .loopback(port: 0))
    }

    var url: String { "moqt://127.0.0.1:\(self.address.port)" }

    func connect(
        drafts: [DraftVersion] = DraftProfile.all.map(\.version),
        verification: QUICConfiguration.Verification? = nil,
        path: String = "",
        journal: Journal,
        leavesOnGoaway: Bool = true
    ) async throws -> MoQPicoQuicClient {
        var configuration = MoQEndpointConfiguration(drafts: drafts)
        configuration.quic.verification = verification ?? .pinned([self.certificate.fingerprint])
        return try await MoQPicoQuicClient.connect(to: MoQURL(self.url + path), configuration: configuration) { _ in
            TestPeer(journal: journal, leavesOnGoaway: leavesOnGoaway)
        }
    }
}
