// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#if os(Linux)
import CLoopSupport
import Glibc
import PacketLoop
import Testing

@testable import PicoQuic

@Suite("A packet loop of our own", .tags(.network), .timeLimit(.minutes(2)))
struct EpollDriverTests {
    private func makeFixture(listen: QUICAddress = .loopback(port: 0)) async throws -> Fixture {
        try await Fixture(listen: listen) { $0.packetLoop = .epoll }
    }

    @Test("Bulk data takes far fewer turns than packets, and comes back whole")
    func bulk() async throws {
        let fixture = try await self.makeFixture()
        let link = try await fixture.connect()
        let before = fixture.server.loop.counters
        let bytes = [UInt8](repeating: 7, count: 4_000_000)
        let stream = try await link.send(bytes, isUnidirectional: true)
        await fixture.serverWitness.wait { $0.finished.contains(stream) }
        let turns = fixture.server.loop.counters.turns - before.turns
        let packets = try await link.run { connection, _ in connection.statistics.packetsSent }
        #expect(packets > 2_500)
        #expect(turns < packets / 2, "\(turns) turns for \(packets) packets")
        let echo = try await link.send([UInt8](repeating: 9, count: 300_000))
        await link.witness.wait { $0.finished.contains(echo) }
        await fixture.stop()
    }

    @Test("A socket that is full again in the round in which it had room is waited for again")
    func fullAgain() async throws {
        let calls = Locked((count: 0, isFull: false))
        let fixture = try await unsafe TransmitFixture { descriptor, messages, count in
            let isRefused = calls.withLock { calls in
                guard calls.isFull else { return false }
                calls.count += 1
                return !calls.count.isMultiple(of: 2)
            }
            return unsafe isRefused ? -EAGAIN : cls_send(descriptor, messages, count)
        }
        // Each round that the loop waits for room sends what is left over, and then finds no room for more.
        calls.withLock { $0.isFull = true }
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 9) }
        let stream = try await fixture.link.send(bytes)
        let witness = fixture.link.witness
        let end = ContinuousClock.now + .seconds(20)
        while !witness.state.finished.contains(stream), ContinuousClock.now < end { await Task.yield() }
        #expect(witness.state.received[stream] == bytes)
        #expect(calls.withLock { $0.count } > 10)
        await fixture.stop()
    }

    @Test("A socket for all addresses answers from the one that was written to", arguments: ["0.0.0.0", "*"])
    func answersFromWhereItWasAsked(host: String) async throws {
        let fixture = try await self.makeFixture(listen: QUICAddress(host: host, port: 0))
        let target = try #require(SocketAddress(host: "127.0.0.2", port: fixture.address.port))
        let client = try #require(
            try UDPSocket.open(SocketPlan(address: .loopback(port: 0), bufferSize: 1 << 20), ecn: 0).first
        )
        // Takes only what comes from there.
        let connected = unsafe target.withPointer { pointer in
            unsafe connect(client.descriptor, pointer, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
        #expect(connected == 0)
        // A long header of a version that nobody speaks, which is answered with those that are (RFC 9000 section 6).
        var packet = [UInt8](repeating: 0, count: 1_200)
        packet.replaceSubrange(0..<6, with: [0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 8])
        packet[14] = 8
        let sent = unsafe send(client.descriptor, packet, packet.count, 0)
        #expect(sent == packet.count)
        var arrival = pollfd(fd: client.descriptor, events: Int16(POLLIN), revents: 0)
        let arrived = unsafe poll(&arrival, 1, 10_000)
        #expect(arrived == 1)
        var answer = [UInt8](repeating: 0, count: 2_000)
        let count = unsafe recv(client.descriptor, &answer, answer.count, 0)
        #expect(count > 7)
        #expect(answer[1..<5].allSatisfy { $0 == 0 })
        await fixture.stop()
    }

    @Test("\"::\" stands for both families, however it is spelt", arguments: ["::", "[::]", "0::0"])
    func anyAddress(host: String) async throws {
        guard SocketPlan.hasIPv6 else {
            print("NOT RUN: this host has no IPv6")
            return
        }
        let fixture = try await self.makeFixture(listen: QUICAddress(host: host, port: 0))
        for host in ["127.0.0.1", "::1"] {
            let link = try await fixture.connect(host: host)
            let stream = try await link.send([1, 2, 3])
            await link.witness.wait { $0.finished.contains(stream) }
        }
        await fixture.stop()
    }

    @Test("An endpoint says at once that it has no socket for an address", arguments: PacketLoopKind.allCases)
    func otherFamily(kind: PacketLoopKind) async throws {
        var configuration = QUICConfiguration(applicationProtocols: ["echo"])
        configuration.packetLoop = kind
        for (bound, target) in [("127.0.0.1", "::1"), ("::1", "127.0.0.1")] where SocketPlan.hasIPv6 {
            let endpoint = PicoQuicExecutor(label: "one-family", configuration: configuration)
            try await endpoint.start(on: QUICAddress(host: bound, port: 0))
            let error = await #expect(throws: QUICError.self) {
                try await endpoint.connect(to: target, port: 9) { _ in EchoDelegate(witness: Witness(), echoes: false) }
            }
            #expect(error?.code == .unreachable)
            #expect(error?.message.contains("\(target): this endpoint has a socket for IPv") == true)
            await endpoint.stop()
        }
    }

    @Test("Both families are served at one port", arguments: ["127.0.0.1", "::1"])
    func families(host: String) async throws {
        guard SocketPlan.hasIPv6 || host == "127.0.0.1" else {
            print("NOT RUN: this host has no IPv6")
            return
        }
        let fixture = try await self.makeFixture(listen: .any(port: 0))
        let link = try await fixture.connect(host: host)
        let stream = try await link.send([1, 2, 3])
        await link.witness.wait { $0.finished.contains(stream) }
        await fixture.stop()
    }

    @Test("A port that is taken is an error that names it, and nothing is left open")
    func portInUse() async throws {
        let fixture = try await self.makeFixture()
        var configuration = QUICConfiguration(
            applicationProtocols: ["echo"],
            credentials: .selfSigned(fixture.certificate)
        )
        configuration.packetLoop = .epoll
        let second = PicoQuicExecutor(label: "second", configuration: configuration)
        let error = await #expect(throws: QUICError.self) { try await second.start(on: fixture.address) }
        #expect(error?.code == .addressInUse)
        #expect(error?.message.contains("\(fixture.address.port)") == true)
        await second.stop()
        await fixture.stop()
    }

    @Test("Calls from other threads end the wait, and no timer fires early")
    func wakes() async throws {
        let fixture = try await self.makeFixture()
        let loop = fixture.client.loop
        for _ in 0..<200 {
            let value = try await loop.run { 1 }
            #expect(value == 1)
        }
        #expect(loop.counters.wakes >= 100)
        let lateness = await withCheckedContinuation { (continuation: CheckedContinuation<Duration, Never>) in
            loop.post {
                let due = loop.now.advanced(by: .microseconds(300))
                loop.schedule(at: due) { continuation.resume(returning: due.duration(to: loop.now)) }
            }
        }
        #expect(lateness >= .zero)
        await fixture.stop()
    }

    @Test("What is no QUIC, or larger than any packet, harms nobody")
    func garbage() async throws {
        let fixture = try await self.makeFixture()
        let link = try await fixture.connect()
        let sender = try #require(
            try UDPSocket.open(SocketPlan(address: .loopback(port: 0), bufferSize: 1 << 20), ecn: 0).first
        )
        let target = try #require(SocketAddress(host: "127.0.0.1", port: fixture.address.port))
        for size in [1, 20, 1_200, 1_536, 1_537, 9_000, 65_507] {
            let bytes = (0..<size).map { _ in UInt8.random(in: 0...255) }
            let sent = unsafe target.withPointer { pointer in
                unsafe sendto(sender.descriptor, bytes, size, 0, pointer, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
            #expect(sent == size)
        }
        let stream = try await link.send([UInt8](repeating: 1, count: 50_000))
        await link.witness.wait { $0.finished.contains(stream) }
        let statistics = await fixture.server.statistics()
        #expect(statistics.messagesDropped == 3)
        #expect(statistics.messagesRefused == 0)
        await fixture.stop()
    }

    @Test("Either loop talks to the other", arguments: [PacketLoopKind.picoquic, .epoll])
    func mixed(server: PacketLoopKind) async throws {
        let certificate = try SelfSignedCertificate()
        let witness = Witness()
        var configuration = QUICConfiguration(applicationProtocols: ["echo"], credentials: .selfSigned(certificate))
        configuration.packetLoop = server
        let endpoint = PicoQuicExecutor(label: "server", configuration: configuration) { _ in
            EchoDelegate(witness: witness, echoes: true)
        }
        let address = try await endpoint.start(on: .loopback(port: 0))
        var other = QUICConfiguration(applicationProtocols: ["echo"])
        other.verification = .pinned([certificate.fingerprint])
        other.packetLoop = server == .epoll ? .picoquic : .epoll
        let client = PicoQuicExecutor(label: "client", configuration: other)
        try await client.start()
        let mine = Witness()
        let connection = try await client.connect(to: address.host, port: address.port) { _ in
            EchoDelegate(witness: mine, echoes: false)
        }
        let link = Link(connection: connection, witness: mine, loop: client.loop)
        let stream = try await link.send([UInt8](repeating: 3, count: 1_000_000))
        await mine.wait { $0.finished.contains(stream) }
        await client.stop()
        await endpoint.stop()
    }
}
#endif
