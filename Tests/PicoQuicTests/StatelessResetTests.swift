// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import TestSupport
import Testing

@testable import PicoQuic

/// A server that comes back with the secrets it had tells the clients that it does not know (RFC 9000 section 10.3).
@Suite("Stateless resets over loopback sockets", .tags(.network), .timeLimit(.minutes(2)))
struct StatelessResetTests {
    @Test("A client whose handshake the server never confirmed is reset as well")
    func unconfirmed() async throws {
        let fixture = try await Fixture(adjust: Self.adjust)
        let proxy = try UDPProxy(to: fixture.address.port)
        // The client has everything that it needs to send, but what it says to that is lost.
        proxy.pass(fromClient: 1)
        let link = try await fixture.connect(port: proxy.port)
        let second = try await Self.exchange(fixture, behind: proxy)
        _ = try await link.send([UInt8](repeating: 2, count: 500))
        await link.witness.wait { !$0.closes.isEmpty }
        #expect(link.witness.state.closes.first?.kind == .statelessReset)
        await second.stop()
        await fixture.stop()
        proxy.stop()
    }

    @Test("A hundred clients are reset before any of them gives up")
    func many() async throws {
        let fixture = try await Fixture(adjust: Self.adjust)
        let proxy = try UDPProxy(to: fixture.address.port)
        var links: [Link] = []
        for _ in 0..<100 {
            let link = try await fixture.connect(port: proxy.port)
            let stream = try await link.send([1])
            await link.witness.wait { $0.finished.contains(stream) }
            links.append(link)
        }
        let second = try await Self.exchange(fixture, behind: proxy)
        // Whose keep-alive was quicker is reset already, and cannot send.
        for link in links { _ = try? await link.send([UInt8](repeating: 2, count: 500)) }
        var kinds: [QUICCloseInfo.Kind?: Int] = [:]
        for link in links {
            await link.witness.wait { !$0.closes.isEmpty }
            kinds[link.witness.state.closes.first?.kind, default: 0] += 1
        }
        #expect(kinds == [.statelessReset: 100])
        await second.stop()
        await fixture.stop()
        proxy.stop()
    }

    static func adjust(_ configuration: inout QUICConfiguration) {
        configuration.statelessResetSeed = [UInt8](1...16)
        // Ten resets a second, which is the library's own limit, would not be enough.
        configuration.idleTimeout = .seconds(6) * TestBuild.patience
        configuration.keepAlive = .milliseconds(500)
    }

    /// Puts a server that knows nothing of any connection in the place of the fixture's, without the clients' knowledge.
    static func exchange(_ fixture: Fixture, behind proxy: UDPProxy) async throws -> PicoQuicExecutor {
        proxy.cut(true)
        await fixture.server.stop()
        let second = PicoQuicExecutor(configuration: fixture.server.configuration) { _ in
            EchoDelegate(witness: Witness(), echoes: true)
        }
        try await second.start(on: fixture.address)
        proxy.pass()
        proxy.cut(false)
        return second
    }
}
