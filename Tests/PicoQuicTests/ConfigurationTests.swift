// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import PacketLoop
import PicoQuic
import Testing

@Suite("Configuration and start", .tags(.network), .timeLimit(.minutes(2)))
struct ConfigurationTests {
    private func start(
        on address: QUICAddress = .loopback(port: 0),
        _ adjust: (inout QUICConfiguration) throws -> Void
    ) async throws -> QUICError? {
        var configuration = QUICConfiguration(applicationProtocols: ["x"])
        try adjust(&configuration)
        let endpoint = PicoQuicExecutor(configuration: configuration)
        do throws(QUICError) {
            try await endpoint.start(on: address)
            await endpoint.stop()
            return nil
        } catch {
            #expect(endpoint.loop.isStopped)
            return error
        }
    }

    @Test("A port that is taken is named")
    func portInUse() async throws {
        let first = PicoQuicExecutor(configuration: QUICConfiguration(applicationProtocols: ["x"]))
        let address = try await first.start(on: .loopback(port: 0))
        #expect(address.port != 0)
        let error = try await self.start(on: address) { _ in }
        #expect(error?.code == .addressInUse)
        #expect(error?.message.contains("\(address.port)") == true)
        await first.stop()
        // It is free again.
        #expect(try await self.start(on: address) { _ in } == nil)
    }

    @Test("An address of somebody else, and text that is no address, are refused")
    func badAddresses() async throws {
        let error = try await self.start(on: QUICAddress(host: "192.0.2.1", port: 0)) { _ in }
        #expect(error?.code == .addressUnavailable)
        #expect(throws: QUICError.self) { try QUICAddress(host: "nonsense", port: 1) }
        #expect(try QUICAddress(host: "[::1]", port: 4433).description == "[::1]:4433")
    }

    @Test("All addresses can be listened on, with or without IPv6, and a second start is refused")
    func anyAddress() async throws {
        let endpoint = PicoQuicExecutor(configuration: QUICConfiguration(applicationProtocols: ["x"]))
        let address = try await endpoint.start()
        #expect(address.port != 0)
        let error = await #expect(throws: QUICError.self) { try await endpoint.start() }
        #expect(error?.code == .invalidState)
        await endpoint.stop()
        await endpoint.stop()
        await #expect(throws: PacketLoopError.stopped) { try await endpoint.loop.run {} }
    }

    @Test("An unknown congestion control is named together with the known ones")
    func congestionControl() async throws {
        let error = try await self.start { $0.congestionControl = "warp" }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message.contains("'warp'") == true)
        #expect(error?.message.contains("cubic") == true)
        for name in CongestionControl.names {
            var configuration = QUICConfiguration(applicationProtocols: ["x"])
            configuration.congestionControl = name
            #expect(throws: Never.self) { try configuration.validate() }
        }
    }

    @Test("Missing, unreadable and mismatched credentials are named")
    func credentials() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let one = try SelfSignedCertificate()
        let two = try SelfSignedCertificate()
        let certificate = folder.appending(path: "one.crt").path
        let key = folder.appending(path: "one.key").path
        let otherKey = folder.appending(path: "two.key").path
        let junk = folder.appending(path: "junk.pem").path
        try Data(one.certificatePEM).write(to: URL(fileURLWithPath: certificate))
        try Data(one.privateKeyPEM).write(to: URL(fileURLWithPath: key))
        try Data(two.privateKeyPEM).write(to: URL(fileURLWithPath: otherKey))
        try Data("junk".utf8).write(to: URL(fileURLWithPath: junk))

        #expect(try await self.start { $0.credentials = .files(certificate: certificate, key: key) } == nil)
        let missing = try await self.start { $0.credentials = .files(certificate: certificate, key: "/no/such.key") }
        #expect(missing?.code == .fileUnreadable)
        #expect(missing?.message.contains("'/no/such.key'") == true)
        let unreadable = try await self.start { $0.credentials = .files(certificate: junk, key: key) }
        #expect(unreadable?.code == .fileUnreadable)
        #expect(unreadable?.message.contains("junk.pem") == true)
        let mismatch = try await self.start { $0.credentials = .files(certificate: certificate, key: otherKey) }
        #expect(mismatch?.code == .badCredentials)
        #expect(mismatch?.message.contains("two.key") == true)
        let directory = try await self.start {
            $0.credentials = .memory(certificate: one.certificatePEM, key: two.privateKeyPEM)
        }
        #expect(directory?.code == .badCredentials)
        #expect(SHA256Fingerprint(certificatePEM: one.certificatePEM) == one.fingerprint)
        #expect(SHA256Fingerprint(one.fingerprint.description) == one.fingerprint)
        #expect(one.fingerprint != two.fingerprint)
    }

    @Test("Log destinations that cannot be used are named, and those that can are used")
    func logs() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let absent = try await self.start { $0.qlogDirectory = "/no/such/folder" }
        #expect(absent?.message.contains("'/no/such/folder'") == true)
        let unwritable = try await self.start { $0.keyLogFile = "/no/such/keys.log" }
        #expect(unwritable?.message.contains("'/no/such/keys.log'") == true)

        let keys = folder.appending(path: "keys.log").path
        let fixture = try await Fixture(adjust: { configuration in
            configuration.keyLogFile = keys
            configuration.qlogDirectory = folder.path
        })
        let link = try await fixture.connect()
        _ = try await link.send([1])
        await link.witness.wait { !$0.finished.isEmpty }
        await fixture.stop()
        let text = try String(contentsOfFile: keys, encoding: .utf8)
        #expect(text.contains("CLIENT_TRAFFIC_SECRET_0"))
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(files.contains { $0.hasSuffix(".qlog") })
    }

    @Test("Settings out of range are refused")
    func ranges() {
        func complaint(_ adjust: (inout QUICConfiguration) -> Void) -> QUICError? {
            var configuration = QUICConfiguration(applicationProtocols: ["x"])
            adjust(&configuration)
            do throws(QUICError) {
                try configuration.validate()
                return nil
            } catch {
                return error
            }
        }
        #expect(complaint { _ in } == nil)
        #expect(complaint { $0.applicationProtocols = [] } != nil)
        #expect(complaint { $0.applicationProtocols = [""] } != nil)
        #expect(complaint { $0.maximumConnections = 0 } != nil)
        #expect(complaint { $0.streamReceiveWindow = 0 } != nil)
        #expect(complaint { $0.idleTimeout = .zero } != nil)
        #expect(complaint { $0.busyPoll = .seconds(2) } != nil)
        #expect(complaint { $0.statelessResetSeed = [1, 2, 3] } != nil)
        #expect(complaint { $0.verification = .pinned([]) } != nil)
        #expect(complaint { $0.verification = .authority(file: "/no/such/ca.pem") }?.code == .fileUnreadable)
    }

    @Test("Fingerprints are read in the usual spellings, and nothing else")
    func fingerprints() {
        let plain = String(repeating: "0a", count: 32)
        let colons = Array(repeating: "0A", count: 32).joined(separator: ":")
        #expect(SHA256Fingerprint(plain) == SHA256Fingerprint(colons))
        #expect(SHA256Fingerprint(plain)?.description == plain)
        #expect(SHA256Fingerprint(String(plain.dropLast())) == nil)
        #expect(SHA256Fingerprint(plain + "00") == nil)
        #expect(SHA256Fingerprint("") == nil)
        #expect(SHA256Fingerprint(String(repeating: "zz", count: 32)) == nil)
    }
}
