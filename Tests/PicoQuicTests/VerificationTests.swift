// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import PicoQuic
import Testing

@Suite("Certificate verification", .tags(.network), .timeLimit(.minutes(2)))
struct VerificationTests {
    private func refusal(
        _ verification: QUICConfiguration.Verification?,
        host: String? = nil
    ) async throws -> QUICError? {
        let fixture = try await Fixture(verification: verification)
        let start = ContinuousClock.now
        var refusal: QUICError?
        do {
            _ = try await fixture.connect(host: host)
        } catch let error as QUICError {
            refusal = error
        }
        #expect(ContinuousClock.now - start < .seconds(5))
        await fixture.stop()
        return refusal
    }

    @Test("A self-signed certificate is not accepted with the system's roots")
    func systemRoots() async throws {
        let error = try await self.refusal(.systemRoots)
        #expect(error?.code == .certificateRejected)
        #expect(error?.message.contains("not trusted") == true)
    }

    @Test("The right fingerprint is accepted, a wrong one is not")
    func pinning() async throws {
        #expect(try await self.refusal(nil) == nil)
        let other = try SelfSignedCertificate()
        let error = try await self.refusal(.pinned([other.fingerprint]))
        #expect(error?.code == .certificateRejected)
        #expect(error?.message.contains("fingerprint") == true)
    }

    @Test("Verification that is switched off accepts anything")
    func insecure() async throws {
        #expect(try await self.refusal(.insecure) == nil)
    }

    @Test("A CA file vouches for the host it names, for nobody else's certificate and for no other host")
    func authority() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "ca.pem").path
        let trusted = try SelfSignedCertificate(names: ["localhost", "127.0.0.1"])
        try Data(trusted.certificatePEM).write(to: URL(fileURLWithPath: file))

        func attempt(server certificate: SelfSignedCertificate, name: String?) async throws -> QUICError? {
            let server = PicoQuicExecutor(
                configuration: QUICConfiguration(
                    applicationProtocols: ["echo"],
                    credentials: .selfSigned(certificate)
                )
            ) { _ in EchoDelegate(witness: Witness(), echoes: true) }
            var configuration = QUICConfiguration(applicationProtocols: ["echo"])
            configuration.verification = .authority(file: file)
            let client = PicoQuicExecutor(configuration: configuration)
            let address = try await server.start(on: .loopback(port: 0))
            try await client.start()
            var refusal: QUICError?
            do throws(QUICError) {
                try await client.connect(to: address.host, port: address.port, serverName: name) { _ in
                    EchoDelegate(witness: Witness(), echoes: false)
                }
            } catch {
                refusal = error
            }
            await client.stop()
            await server.stop()
            return refusal
        }
        #expect(try await attempt(server: trusted, name: nil) == nil)
        #expect(try await attempt(server: trusted, name: "localhost") == nil)
        let wrongName = try await attempt(server: trusted, name: "example.org")
        #expect(wrongName?.code == .certificateRejected)
        #expect(wrongName?.message.contains("not valid for this host") == true)
        let stranger = try SelfSignedCertificate()
        #expect(try await attempt(server: stranger, name: nil)?.code == .certificateRejected)
    }
}
