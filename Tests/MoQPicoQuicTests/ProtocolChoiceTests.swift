// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQPicoQuic
import MoQWire
import PacketLoop
import PicoQuic
import Testing

@Suite("The choice of a draft", .tags(.network), .timeLimit(.minutes(1)))
struct ProtocolChoiceTests {
    private func server(_ certificate: SelfSignedCertificate) -> MoQPicoQuicServer {
        MoQPicoQuicServer(configuration: MoQEndpointConfiguration(credentials: .selfSigned(certificate))) { loop in
            { transport, profile in
                let session = MoQSession(
                    transport: transport,
                    loop: loop,
                    profile: profile,
                    handler: TestPeer(journal: Journal())
                )
                session.start()
                return session
            }
        }
    }

    @Test("A server takes the newest draft, in whatever order the client offers them")
    func newest() async throws {
        let certificate = try SelfSignedCertificate()
        let server = self.server(certificate)
        let address = try await server.start(on: .loopback(port: 0))
        let known = DraftProfile.all.map(\.version)
        #expect(known == [.draft18, .draft16, .draft14])
        for drafts in [known, Array(known.reversed())] {
            var configuration = MoQEndpointConfiguration(drafts: drafts)
            configuration.quic.verification = .pinned([certificate.fingerprint])
            let url = try MoQURL("moqt://127.0.0.1:\(address.port)")
            let client = try await MoQPicoQuicClient.connect(to: url, configuration: configuration) { _ in
                TestPeer(journal: Journal())
            }
            #expect(client.draft == .draft18)
            await client.close()
        }
        await server.stop()
    }
}
