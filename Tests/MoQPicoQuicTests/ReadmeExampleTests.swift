// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import MoQ
import MoQPicoQuic
import MoQWire
import PicoQuic
import Testing

@Suite("The example of the README", .tags(.network), .timeLimit(.minutes(1)))
struct ReadmeExampleTests {
    @Test("It counts what a track delivers")
    func runs() async throws {
        let certificate = try SelfSignedCertificate()
        let journal = Journal()
        let server = MoQPicoQuicServer(
            configuration: MoQEndpointConfiguration(credentials: .selfSigned(certificate))
        ) { loop in
            { transport, profile in
                let peer = TestPeer(journal: journal)
                let session = MoQSession(transport: transport, loop: loop, profile: profile, handler: peer)
                session.start()
                return session
            }
        }
        let address = try await server.start(on: .loopback(port: 0))
        var configuration = MoQEndpointConfiguration()
        configuration.quic.verification = .pinned([certificate.fingerprint])
        let (results, ending) = AsyncStream.makeStream(of: Int.self)
        let url = try MoQURL("moqt://127.0.0.1:\(address.port)")
        let client = try await MoQPicoQuicClient.connect(to: url, configuration: configuration) { _ in
            TrackCounter(FullTrackName(namespace: TrackNamespace(path: "demo"), name: "file")) { bytes, end in
                ending.yield(end == nil ? -1 : bytes)
                ending.finish()
            }
        }
        var counted: [Int] = []
        for await result in results {
            counted.append(result)
        }
        #expect(counted == [TestPeer.payload.count])
        await client.close()
        await server.stop()
    }

    @Test("The README shows it as it is")
    func isShown() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        let source = try String(contentsOf: folder.appendingPathComponent("TrackCounter.swift"), encoding: .utf8)
        let readme = try String(contentsOf: folder.appendingPathComponent("../../README.md"), encoding: .utf8)
        let code = try #require(source.range(of: "import MoQ\n"))
        #expect(readme.contains(source[code.lowerBound...]))
    }
}
