// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CPicoquic
import CPicoquicShims
import PacketLoop
import TestSupport
import Testing

@testable import PicoQuic

@Suite("Memory that the library keeps for packets to come", .tags(.network), .timeLimit(.minutes(1)))
struct SparePacketsTests {
    /// How many packets the library has memory for, after each of so many seconds, when `clients` clients have sent their
    /// first packet and are gone.
    private func counts(after clients: Int, seconds: Int) throws -> [CInt] {
        let context = try QUICContext.bare()
        // This thread is the loop's for as long as the test lasts.
        context.loop.begin()
        defer { context.loop.end() }
        defer { context.free() }
        let quic = try unsafe #require(unsafe context.raw)
        unsafe cpq_claim_thread(quic)
        let address = try #require(SocketAddress(host: "127.0.0.1", port: 9))
        for _ in 0..<clients { _ = try context.connect(to: address, name: "x", protocols: ["x"]) { _ in } }
        #expect(unsafe PacketDrain.run(quic, at: picoquic_current_time()) >= clients)
        context.deleteAll()
        var spare = SparePackets()
        var counts = unsafe [cpq_spare_packets(quic)]
        for second in 1...UInt64(seconds) {
            // Two rounds of the loop within the second are as good as one.
            for part in [0, 999_999] as [UInt64] { unsafe spare.trim(quic, at: second * 1_000_000 + part) }
            unsafe counts.append(cpq_spare_packets(quic))
        }
        return counts
    }

    @Test("Half of what is more than enough goes back each second")
    func halves() throws {
        let counts = try self.counts(after: 200, seconds: 10)
        let first = try #require(counts.first)
        try #require(first >= 200)
        var expected = [first]
        for _ in 1...10 { expected.append(expected[expected.count - 1] - (expected[expected.count - 1] - 64 + 1) / 2) }
        #expect(counts == expected)
        #expect(counts.last == 64)
    }

    @Test("Little stays")
    func little() throws {
        let counts = try self.counts(after: 20, seconds: 3)
        #expect(counts[0] > 0)
        #expect(Set(counts).count == 1)
    }

    @Test("An endpoint gives memory back when its busy moment is over", arguments: PacketLoopKind.available)
    func endpoint(kind: PacketLoopKind) async throws {
        let fixture = try await Fixture { $0.packetLoop = kind }
        let link = try await fixture.connect()
        // Nobody answers there, so that the first packets of all connections are in flight at the same time.
        let deaf = PicoQuicExecutor(label: "deaf", configuration: fixture.server.configuration)
        let port = try await deaf.start(on: .loopback(port: 0), member: nil, isAccepting: false).port
        await withTaskGroup { group in
            for _ in 0..<400 {
                group.addTask { _ = try? await fixture.connect(port: port, timeout: .milliseconds(500)) }
            }
        }
        // They go one after the other, and their memory with them.
        let deadline = ContinuousClock.now + .seconds(30)
        var (now, most) = (CInt(0), CInt(0))
        while most <= 2 * SparePackets.least || now > (most + SparePackets.least) / 2, ContinuousClock.now < deadline {
            now = try await self.count(link)
            most = max(most, now)
        }
        #expect(most > 2 * SparePackets.least)
        #expect(now <= (most + SparePackets.least) / 2)
        await deaf.stop()
        await fixture.stop()
    }

    private func count(_ link: Link) async throws -> CInt {
        try await link.run { connection, _ in
            let cnx = try unsafe #require(unsafe connection.cnx)
            return unsafe cpq_spare_packets(picoquic_get_quic_ctx(cnx))
        }
    }
}
