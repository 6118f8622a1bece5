// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import PicoQuic
import TestSupport
import Testing

/// Peers that are gone, without a word, after so many of their datagrams: in every state that a handshake goes through.
@Suite("Handshakes that are cut off, over loopback sockets", .tags(.network), .timeLimit(.minutes(2)))
struct HandshakeLossTests {
    enum Side: CaseIterable {
        case client
        case server
    }

    @Test(
        "A peer that is gone in the middle of the handshake leaves nothing, and nobody waits for ever",
        arguments: Side.allCases
    )
    func gone(side: Side) async throws {
        try await atOnce(0...5) { datagrams in
            let fixture = try await Fixture(adjust: { configuration in
                configuration.handshakeTimeout = .milliseconds(500)
                configuration.idleTimeout = .milliseconds(800)
                configuration.keepAlive = nil
            })
            let proxy = try UDPProxy(to: fixture.address.port)
            switch side {
            case .client: proxy.pass(fromClient: datagrams)
            case .server: proxy.pass(fromServer: datagrams)
            }
            let start = ContinuousClock.now
            do {
                let link = try await fixture.connect(port: proxy.port, timeout: .milliseconds(600))
                // It got far enough to be established at this end, and ends because of the silence.
                await link.witness.wait { $0.closes.count == 1 }
                let kind = try #require(link.witness.state.closes.first?.kind)
                #expect(kind == .idleTimeout || kind == .peerTransport)
            } catch let error as QUICError {
                #expect(error.code == .handshakeTimeout || error.code == .unreachable)
            }
            #expect(ContinuousClock.now - start < .seconds(10))
            try await fixture.eventually("an endpoint keeps the connection") {
                let atServer = await fixture.server.connectionCounts().live
                let atClient = await fixture.client.connectionCounts().live
                return atServer == 0 && atClient == 0
            }
            // What the server accepted has been told of its end.
            let accepted = fixture.accepted
            let count = try await fixture.server.loop.run { accepted.connections.count }
            #expect(fixture.serverWitness.state.closes.count == count)

            let link = try await fixture.connect()
            let stream = try await link.send([1])
            await link.witness.wait { $0.finished.contains(stream) }
            await fixture.stop()
            proxy.stop()
        }
    }

    @Test("An endpoint that stops in the middle of a handshake is done with it", arguments: Side.allCases, 0...4)
    func stopped(side: Side, datagrams: Int) async throws {
        let fixture = try await Fixture()
        let proxy = try UDPProxy(to: fixture.address.port)
        proxy.pass(fromServer: datagrams)
        let attempt = Task { try await fixture.connect(port: proxy.port, timeout: .seconds(20)) }
        // The server has answered, or got as far as it can without.
        try await fixture.eventually("nothing reached the server") {
            await fixture.server.connectionCounts().total == 1
        }
        let start = ContinuousClock.now
        switch side {
        case .client: await fixture.client.stop()
        case .server: await fixture.server.stop()
        }
        #expect(ContinuousClock.now - start < .seconds(3))
        await fixture.stop()
        let link = try? await attempt.value
        if let link {
            await link.witness.wait { $0.closes.count == 1 }
        }
        proxy.stop()
    }
}
