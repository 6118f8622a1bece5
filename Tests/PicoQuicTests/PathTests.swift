// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import PicoQuic
import Testing

@Suite("Paths that change, over loopback sockets", .tags(.network), .timeLimit(.minutes(2)))
struct PathTests {
    @Test("When a client's address changes in the middle of a transfer, the server sees it, and every byte arrives")
    func rebinding() async throws {
        let fixture = try await Fixture()
        let proxy = try UDPProxy(to: fixture.address.port)
        let link = try await fixture.connect(port: proxy.port)
        let first = (0..<500_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let second = (0..<500_000).map { UInt8(truncatingIfNeeded: $0 &* 13 &+ 5) }
        let stream = try await link.send(first, isFinished: false)
        await link.witness.wait { $0.received[stream]?.count == first.count }
        let before = try await fixture.atServer { $0.peerAddress }
        #expect(before == .loopback(port: proxy.sourcePort))
        #expect(try await fixture.atServer { $0.localAddress } == fixture.address)

        try proxy.move()
        let moved = QUICAddress.loopback(port: proxy.sourcePort)
        #expect(moved != before)
        try await link.run { connection, delegate in
            delegate.send(second, isFinished: true, stream: stream, on: connection)
        }
        await link.witness.wait { $0.finished.contains(stream) }
        #expect(link.witness.state.received[stream] == first + second)
        try await fixture.eventually("the server never saw the new address") {
            try await fixture.atServer { $0.peerAddress } == moved
        }

        // What a log wants to know stays.
        try await link.run { connection, _ in connection.close(code: 3) }
        await fixture.serverWitness.wait { $0.closes.count == 1 }
        try await fixture.eventually("the library kept the connection") {
            await fixture.server.connectionCounts().live == 0
        }
        #expect(try await fixture.atServer { $0.peerAddress } == moved)
        #expect(try await fixture.atServer { $0.localAddress } == fixture.address)
        await fixture.stop()
        proxy.stop()
    }
}
