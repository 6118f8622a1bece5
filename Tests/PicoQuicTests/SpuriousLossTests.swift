// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PicoQuic
import Testing

@Suite("Packets that are taken for lost and were not, over loopback sockets", .tags(.network), .timeLimit(.minutes(1)))
struct SpuriousLossTests {
    @Test("What need not be repeated after all does not hold up a stream of another priority")
    func priorities() async throws {
        let fixture = try await Fixture(adjust: { configuration in
            // Nothing else wakes a connection that believes to have nothing to send.
            configuration.keepAlive = nil
            configuration.idleTimeout = .seconds(8)
        })
        let proxy = try UDPProxy(to: fixture.address.port)
        let link = try await fixture.connect(port: proxy.port)
        // Until the largest packet that fits is known. It is doubted when packets are lost, and what was in one of that size then
        // needs two: a part of it waits to be repeated.
        let warmUp = try await link.send(Array(repeating: 1, count: 100_000))
        await link.witness.wait { $0.finished.contains(warmUp) }
        let before = try await link.run { connection, _ in connection.statistics.packetsLost }

        // The server has all of it, and the client does not hear so in time.
        proxy.holdBack()
        let urgent = try await self.send(6_000, priority: 2, link)
        await fixture.serverWitness.wait { $0.finished.contains(urgent) }
        try await fixture.eventually("nothing is taken for lost") {
            try await link.run { connection, _ in connection.statistics.packetsLost } >= before + 2
        }
        let patient = try await self.send(1_000, priority: 9, link)
        // One acknowledgement of everything: a second one would wake the connection once more.
        try await fixture.eventually("the server acknowledges nothing") { proxy.release() }
        try await fixture.eventually("what was taken for lost was lost") {
            try await link.run { connection, _ in connection.statistics.spuriousLosses } >= 2
        }

        await fixture.serverWitness.wait { $0.finished.contains(patient) || !$0.closes.isEmpty }
        #expect(fixture.serverWitness.state.received[patient]?.count == 1_000)
        await fixture.stop()
        proxy.stop()
    }

    private func send(_ count: Int, priority: UInt8, _ link: Link) async throws -> UInt64 {
        try await link.run { connection, delegate in
            let stream = try connection.openStream(isUnidirectional: true, token: delegate.makeToken())
            try connection.setPriority(priority, stream: stream)
            delegate.send(Array(repeating: 1, count: count), isFinished: true, stream: stream, on: connection)
            return stream
        }
    }
}
