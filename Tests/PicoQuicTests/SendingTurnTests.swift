// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PicoQuic
import Testing

@Suite("Streams whose turn it is, over loopback sockets", .tags(.network), .timeLimit(.minutes(1)))
struct SendingTurnTests {
    /// Nothing else wakes a connection that believes to have nothing to send.
    private func silentFixture() async throws -> Fixture {
        try await Fixture(adjust: { configuration in
            configuration.keepAlive = nil
            configuration.idleTimeout = .seconds(8)
        })
    }

    @Test("What need not be repeated after all does not hold up a stream of another priority")
    func spuriousLoss() async throws {
        let fixture = try await self.silentFixture()
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

    @Test("Datagrams that are gone when they are asked for do not hold up a stream of another priority")
    func noDatagram() async throws {
        let fixture = try await self.silentFixture()
        let link = try await fixture.connect()
        let warmUp = try await link.send([1])
        await link.witness.wait { $0.finished.contains(warmUp) }
        // Nothing else must be under way, which would bring the stream along.
        try await fixture.eventually("the connection does not come to rest") {
            let before = try await link.run { connection, _ in connection.statistics }
            try await Task.sleep(for: .milliseconds(200))
            let now = try await link.run { connection, _ in connection.statistics }
            return now.packetsSent == before.packetsSent && now.packetsReceived == before.packetsReceived
        }
        let stream = try await link.run { connection, delegate in
            let stream = try connection.openStream(isUnidirectional: true, token: delegate.makeToken())
            try connection.setPriority(9, stream: stream)
            delegate.send([2], isFinished: true, stream: stream, on: connection)
            connection.setDatagramPriority(2)
            // It has none.
            try connection.markDatagramsReady()
            return stream
        }
        await fixture.serverWitness.wait { $0.finished.contains(stream) || !$0.closes.isEmpty }
        #expect(fixture.serverWitness.state.received[stream] == [2])
        await fixture.stop()
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
