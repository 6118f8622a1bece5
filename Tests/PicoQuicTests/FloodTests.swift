// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#if os(Linux)
import CLoopSupport
import CPicoquic
import CPicoquicShims
import Glibc
import PacketLoop
import TestSupport
import Testing

@testable import PicoQuic

@Suite("A flood of garbage", .tags(.network), .timeLimit(.minutes(2)))
struct FloodTests {
    /// How many datagrams there are before memory is looked at for the first time, and for the second time.
    private static let (few, many) = (4_000, 60_000)
    /// How much the process may grow between the two looks. What is kept of a datagram would be kept of 60,000: 70
    /// bytes of each are more than this. What may grow once is below it: buffers that are touched for the first time
    /// (0.7 MB for each loop), what the witnesses keep (0.5 MB), and the allocator's reserve.
    private static let growth = 4 << 20

    /// Who is flooded.
    enum Target: CustomTestStringConvertible, CaseIterable {
        case picoquic
        case epoll
        case steered
        case handingOver

        var testDescription: String {
            switch self {
            case .picoquic: "picoquic's loop"
            case .epoll: "our loop"
            case .steered: "two of our loops at one port"
            case .handingOver: "two of our loops at one port, without the kernel's help"
            }
        }
    }

    @Test(
        "A session goes on, all garbage is counted, nothing is connected, and memory stays",
        arguments: Target.allCases
    )
    func session(target: Target) async throws {
        switch target {
        case .picoquic, .epoll:
            let fixture = try await Fixture { $0.packetLoop = target == .epoll ? .epoll : .picoquic }
            try await self.exchange(over: try await fixture.connect(), beside: fixture.address.port, target) {
                await fixture.server.statistics()
            }
            await fixture.stop()
        case .steered, .handingOver:
            let way = target == .steered ? SharedPortFixture.Way.kernel : .handingOver
            let fixture = try await SharedPortFixture(2, way)
            guard await fixture.canRun(way) else { return }
            try await self.exchange(over: try await fixture.connect(), beside: fixture.address.port, target) {
                await fixture.statistics
            }
            await fixture.stop()
        }
    }

    private func exchange(
        over link: Link,
        beside port: UInt16,
        _ target: Target,
        _ statistics: () async -> QUICEndpointStatistics
    ) async throws {
        let bytes = (0..<20_000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 7) }
        let first = try Flood(at: port, limit: Self.few, seed: 1)
        let stream = try await link.send(bytes)
        await link.witness.wait { $0.finished.contains(stream) || !$0.closes.isEmpty }
        first.finish()
        let before = ResidentMemory.byteCount

        let flood = try Flood(at: port, limit: Self.many, seed: 2)
        var streams: [UInt64] = []
        // The socket never runs empty meanwhile: who would receive until it does would never answer.
        for _ in 0..<10 {
            let stream = try await link.send(bytes)
            await link.witness.wait { $0.finished.contains(stream) || !$0.closes.isEmpty }
            streams.append(stream)
        }
        let sentByThen = flood.count
        // Not all that many were needed for that.
        #expect(sentByThen < Self.many)
        flood.finish()
        let state = link.witness.state
        #expect(state.closes.isEmpty)
        for stream in streams {
            #expect(state.received[stream] == bytes)
        }
        #expect(sentByThen > 0)
        let sent = UInt64(first.count + flood.count)
        #expect(sent == UInt64(Self.few + Self.many))
        var seen = await statistics()
        if target != .picoquic {
            let end = ContinuousClock.now.advanced(by: .seconds(20))
            while seen.packetsUnclaimed &+ seen.packetsNotForwarded < sent, ContinuousClock.now < end {
                seen = await statistics()
            }
            #expect(seen.packetsUnclaimed &+ seen.packetsNotForwarded == sent)
            #expect(seen.messagesOverflowed == 0)
            // Each second one deserves an answer; the library gives one for some of them.
            #expect(seen.packetsAnswered > 100)
            #expect(seen.packetsAnswered < sent / 2)
        }
        #expect(seen.connectionsLive == 1)
        #expect(seen.connectionsCreated == 1)
        // A sanitizer keeps what has been freed.
        if !TestBuild.isSanitized {
            #expect(ResidentMemory.byteCount - before < Self.growth)
        }
    }

    @Test("A flood at one address of a server keeps nobody waiting at the other")
    func families() async throws {
        guard SocketPlan.hasIPv6 else {
            print("NOT RUN: this host has no IPv6")
            return
        }
        let fixture = try await Fixture(listen: .any(port: 0)) { $0.packetLoop = .epoll }
        let flood = try Flood(at: fixture.address.port, limit: .max, seed: 3)
        let link = try await fixture.connect(host: "::1")
        let bytes = [UInt8](repeating: 5, count: 50_000)
        let stream = try await link.send(bytes)
        await link.witness.wait { $0.finished.contains(stream) || !$0.closes.isEmpty }
        flood.stop()
        #expect(link.witness.state.received[stream] == bytes)
        #expect(await fixture.server.statistics().connectionsCreated == 1)
        await fixture.stop()
    }

    @Test("A round takes a bounded amount, an equal share from each socket that has something, and the rest later")
    func shares() throws {
        let plan = try SocketPlan(address: .loopback(port: 0), bufferSize: 4 << 20)
        let sockets = try (0..<2).flatMap { _ in try UDPSocket.open(plan, ecn: 0) }
        let sender = try #require(try UDPSocket.open(plan, ecn: 0).first)
        let perSocket = 200
        for socket in sockets {
            try Self.send(perSocket, of: 20, from: sender, to: socket)
        }
        let phase = try ReceivePhase(sockets)
        var counts: [UInt16: Int] = [:]
        func round() throws -> Bool {
            try unsafe phase.run(.max) { _, source, _ in
                let to = unsafe withUnsafeBytes(of: source.pointee.to) { unsafe $0.load(as: sockaddr_in.self) }
                counts[UInt16(bigEndian: to.sin_port), default: 0] += 1
            }
        }
        #expect(try round())
        let half = ReceivePhase.datagramsPerRound / 2
        #expect(counts == [sockets[0].port: half, sockets[1].port: half])
        while try round() {}
        #expect(counts == [sockets[0].port: perSocket, sockets[1].port: perSocket])
        // Alone, one gets everything.
        counts = [:]
        try Self.send(300, of: 20, from: sender, to: sockets[1])
        let mayHaveMore = try unsafe phase.run(2) { _, _, _ in counts[sockets[1].port, default: 0] += 1 }
        #expect(mayHaveMore)
        #expect(counts == [sockets[1].port: ReceivePhase.datagramsPerRound])
    }

    @Test("Empty datagrams end a round like any others, and are counted")
    func empty() throws {
        let plan = try SocketPlan(address: .loopback(port: 0), bufferSize: 4 << 20)
        let socket = try #require(try UDPSocket.open(plan, ecn: 0).first)
        let sender = try #require(try UDPSocket.open(plan, ecn: 0).first)
        try Self.send(300, of: 0, from: sender, to: socket)
        let phase = try ReceivePhase([socket])
        var taken = 0
        func round() throws -> Bool {
            try unsafe phase.run(1) { _, _, _ in taken += 1 }
        }
        #expect(try round())
        #expect(phase.dropped == UInt64(ReceivePhase.datagramsPerRound))
        while try round() {}
        #expect(phase.dropped == 300)
        #expect(taken == 0)
    }

    @Test("What the kernel drops at a full socket is counted")
    func overflow() throws {
        let small = try SocketPlan(address: .loopback(port: 0), bufferSize: 1 << 16)
        let socket = try #require(try UDPSocket.open(small, ecn: 0).first)
        let sender = try #require(try UDPSocket.open(small, ecn: 0).first)
        let phase = try ReceivePhase([socket])
        var received: UInt64 = 0
        func drain() throws {
            while try unsafe phase.run(1, { _, _, _ in received += 1 }) {}
        }
        try Self.send(1_000, of: 1_000, from: sender, to: socket)
        try drain()
        #expect(received < 1_000)
        // The kernel says so with the next one that fits.
        try Self.send(1, of: 1_000, from: sender, to: socket)
        try drain()
        #expect(phase.overflowed == 1_001 - received)
        #expect(phase.dropped == 0)
    }

    private static func send(_ count: Int, of size: Int, from sender: UDPSocket, to socket: UDPSocket) throws {
        let target = try #require(SocketAddress(host: "127.0.0.1", port: socket.port))
        let bytes = [UInt8](repeating: 1, count: size)
        for _ in 0..<count {
            let sent = unsafe target.withPointer { pointer in
                unsafe sendto(sender.descriptor, bytes, size, 0, pointer, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
            try #require(sent == size)
        }
    }

    @Test("A count of 32 bits is followed when it wraps, and does not go back when reports overtake each other")
    func wrapping() {
        var count = WrappingCount()
        for report in [3, 3, 10, 0x7fff_ffff, 0xffff_fff0, 0xffff_ffe0, 5, 7, 6] as [UInt32] {
            count.note(report)
        }
        #expect(count.total == 0x1_0000_0007)
    }

    @Test("What the library wants to answer without a connection waits in a queue with a bound, and leaves first")
    func answers() throws {
        let loop = PacketLoop(label: "none")
        let configuration = QUICConfiguration(
            applicationProtocols: ["x"],
            credentials: .selfSigned(try SelfSignedCertificate())
        )
        let context = try QUICContext(configuration: configuration, loop: loop, acceptor: nil)
        defer { context.free() }
        guard let quic = unsafe context.raw else { throw Flood.Failure() }
        unsafe cpq_claim_thread(quic)
        var garbage = Garbage(seed: 4)
        var from = try #require(SocketAddress(host: "127.0.0.1", port: 40_000)).raw
        var to = try #require(SocketAddress(host: "127.0.0.1", port: 4_433)).raw
        let now = picoquic_current_time()
        for _ in 0..<1_000 {
            var bytes = garbage.make(.unknownVersion)
            var connection: OpaquePointer?
            let count = bytes.count
            unsafe withUnsafeMutablePointer(to: &from) { from in
                unsafe withUnsafeMutablePointer(to: &to) { to in
                    _ = unsafe picoquic_incoming_packet_ex(
                        quic,
                        &bytes,
                        count,
                        UnsafeMutableRawPointer(from).assumingMemoryBound(to: sockaddr.self),
                        UnsafeMutableRawPointer(to).assumingMemoryBound(to: sockaddr.self),
                        1,
                        0,
                        &connection,
                        now
                    )
                }
            }
            #expect(unsafe connection == nil)
        }
        let answers = unsafe PacketDrain.run(quic, at: now)
        // Far below what a round sends, so that connections have their part of each.
        #expect(answers > 0)
        #expect(answers <= ReceivePhase.datagramsPerRound / 4)
    }
}
#endif
