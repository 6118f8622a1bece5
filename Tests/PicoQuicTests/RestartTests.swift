// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import PacketLoop
import PicoQuic
import TestSupport
import Testing

@Suite("Starts and restarts", .tags(.network), .timeLimit(.minutes(3)))
struct RestartTests {
    #if os(Linux)
    @Test("A thousand starts and stops leave neither descriptors nor memory behind")
    func cycles() async {
        // In a process of its own, where nobody else opens anything.
        await #expect(processExitsWith: .success) {
            func descriptors() throws -> Int {
                try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
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
            // A sanitizer makes threads expensive and keeps freed memory for a while; what leaks it finds by itself.
            let times = TestBuild.isSanitized ? 100 : 1_000
            for _ in 0..<(times / 10) {
                try await cycle()
            }
            let open = try descriptors()
            let memory = ResidentMemory.byteCount
            for _ in 0..<times {
                try await cycle()
            }
            #expect(try descriptors() == open)
            // A context of the library alone is more than a kilobyte: a leak of each would be megabytes.
            #expect(TestBuild.isSanitized || ResidentMemory.byteCount - memory < 8_192_000)
        }
    }
    #endif
}
