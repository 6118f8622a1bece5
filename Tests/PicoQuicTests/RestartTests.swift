// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import PacketLoop
import PicoQuic
import Testing

@Suite("Starts and restarts", .tags(.network), .timeLimit(.minutes(3)))
struct RestartTests {
    @Test("A server that forgot the connection says so, and the client ends at once")
    func statelessReset() async throws {
        let seed = [UInt8](1...16)
        let fixture = try await Fixture(adjust: { $0.statelessResetSeed = seed })
        var configuration = QUICConfiguration(
            applicationProtocols: ["echo"],
            credentials: .selfSigned(fixture.certificate)
        )
        configuration.statelessResetSeed = seed
        let successor = PicoQuicExecutor(configuration: configuration) { _ in
            EchoDelegate(witness: Witness(), echoes: true)
        }
        let address = try await successor.start(on: .loopback(port: 0))
        let switchboard = try Switchboard(serverPort: fixture.address.port)
        let witness = Witness()
        let connection = try await fixture.client.connect(to: "127.0.0.1", port: switchboard.port) { _ in
            EchoDelegate(witness: witness, echoes: false)
        }
        let link = Link(connection: connection, witness: witness, loop: fixture.client.loop)
        let first = try await link.send([1])
        await witness.wait { $0.finished.contains(first) }
        switchboard.connect(to: address.port)
        let start = ContinuousClock.now
        _ = try await link.send([UInt8](repeating: 2, count: 1_000))
        await witness.wait { $0.closes.count == 1 }
        #expect(witness.state.closes.first?.kind == .statelessReset)
        #expect(witness.state.closes.first?.wasEstablished == true)
        #expect(ContinuousClock.now - start < .seconds(5))
        switchboard.stop()
        await fixture.stop()
        await successor.stop()
    }

    #if os(Linux)
    @Test("A thousand starts and stops leave neither descriptors nor memory behind")
    func cycles() async {
        // In a process of its own, where nobody else opens anything.
        await #expect(processExitsWith: .success) {
            func descriptors() throws -> Int {
                try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
            }
            func residentPages() throws -> Int {
                let text = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
                return text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
            }
            let certificate = try SelfSignedCertificate()
            var configuration = QUICConfiguration(
                applicationProtocols: ["x"],
                credentials: .selfSigned(certificate)
            )
            configuration.maximumConnections = 64
            func cycle() async throws {
                let endpoint = PicoQuicExecutor(configuration: configuration) { _ in nil }
                try await endpoint.start(on: .loopback(port: 0))
                await endpoint.stop()
            }
            for _ in 0..<100 {
                try await cycle()
            }
            let open = try descriptors()
            let pages = try residentPages()
            for _ in 0..<1_000 {
                try await cycle()
            }
            #expect(try descriptors() == open)
            // A context of the library alone is more than a kilobyte: a leak of each would be hundreds of pages.
            #expect(try residentPages() - pages < 2_000)
        }
    }
    #endif
}
