// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#if os(Linux)
import CLoopSupport
import CPicoquic
import Glibc
import PacketLoop
import Testing

@testable import PicoQuic

@Suite("Whom a packet is for", .tags(.network), .timeLimit(.minutes(1)))
struct SteeringTests {
    @Test("The kernel has the same rule as the loops, in either family", arguments: [(2, "127.0.0.1"), (7, "::1")])
    func kernel(count: Int, host: String) throws {
        guard SocketPlan.hasIPv6 || host == "127.0.0.1" else {
            print("NOT RUN: this host has no IPv6")
            return
        }
        let group = PortGroup(count: count)
        let port = try SharedPort(QUICAddress(uncheckedHost: host, port: 0))
        let address = port.address
        let plan = try SocketPlan(address: address, bufferSize: 1 << 20, isPortShared: true)
        var sockets = try UDPSocket.open(plan, ecn: 0)
        port.release()
        for _ in 1..<count {
            sockets += try UDPSocket.open(plan, ecn: 0)
        }
        guard sockets[count - 1].steer(among: count) == 0 else {
            print("NOT RUN: the kernel takes no program")
            return
        }
        let sender = try #require(
            try UDPSocket.open(
                SocketPlan(address: QUICAddress(uncheckedHost: host, port: 0), bufferSize: 1 << 20),
                ecn: 0
            )
            .first
        )
        let target = try #require(SocketAddress(host: host, port: address.port))
        // Long and short headers, with all that can be at both places, and what is too short for either.
        var expected = [Int](repeating: 0, count: count)
        for value in 0..<256 as Range<Int> {
            for first in [0x40, 0xc0] as [UInt8] {
                var bytes = [first] + [UInt8](repeating: UInt8(truncatingIfNeeded: value &* 7 &+ 3), count: 20)
                bytes[first == 0x40 ? 1 : 6] = UInt8(value)
                expected[value % count] += 1
                try Self.send(bytes, from: sender, to: target)
            }
        }
        for bytes in [[0x40], [0xc0, 0, 0, 0, 1, 8]] as [[UInt8]] {
            expected[0] += 1
            try Self.send(bytes, from: sender, to: target)
        }
        for (index, socket) in sockets.enumerated() {
            let receiver = try DatagramReceiver()
            var arrived = 0
            while arrived < expected[index] {
                let outcome = unsafe receiver.receive(from: socket) { datagram, _ in
                    let owner = unsafe group.owner(of: datagram)
                    #expect(owner == (datagram.count > 6 ? index : nil))
                    arrived += 1
                }
                guard case .received(let number, _) = outcome, number > 0 else {
                    Issue.record("socket \(index): \(outcome) after \(arrived) of \(expected[index])")
                    break
                }
            }
            #expect(arrived == expected[index])
        }
    }

    private static func send(_ bytes: [UInt8], from socket: UDPSocket, to target: SocketAddress) throws {
        let size = socklen_t(
            target.family == AF_INET6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size
        )
        let sent = unsafe target.withPointer { unsafe sendto(socket.descriptor, bytes, bytes.count, 0, $0, size) }
        try #require(sent == bytes.count)
    }

    @Test("A mailbox takes what fits, wakes its owner once for all that waits, and keeps the order")
    func mailbox() {
        func batch(_ numbers: Range<Int>) -> PacketBatch {
            var batch = PacketBatch()
            for number in numbers {
                var bytes = [UInt8(truncatingIfNeeded: number), UInt8(truncatingIfNeeded: number >> 8)]
                unsafe bytes.withUnsafeMutableBufferPointer { buffer in
                    unsafe batch.append(
                        buffer,
                        from: sockaddr_storage(),
                        to: sockaddr_storage(),
                        interface: 1,
                        ecn: 2,
                        isOrphan: number % 2 == 1
                    )
                }
            }
            return batch
        }
        var taken: [Int] = []
        func take(_ limit: Int, from mailbox: PacketMailbox) {
            for var batch in mailbox.take(upTo: limit) {
                unsafe batch.forEach { bytes, packet in
                    let number = Int(unsafe bytes[0]) | Int(unsafe bytes[1]) << 8
                    #expect(packet.interface == 1 && packet.ecn == 2 && packet.isOrphan == (number % 2 == 1))
                    taken.append(number)
                }
            }
        }
        let wakes = Locked(0)
        let mailbox = PacketMailbox()
        #expect(!mailbox.deliver(batch(0..<1)), "nobody takes it")
        mailbox.open { wakes.withLock { $0 += 1 } }
        #expect(mailbox.isEmpty)
        for start in stride(from: 0, to: PacketMailbox.capacity, by: 1_024) {
            #expect(mailbox.deliver(batch(start..<(start + 1_024))))
        }
        #expect(!mailbox.deliver(batch(0..<1)), "it is full")
        #expect(wakes.withLock { $0 } == 1)
        #expect(!mailbox.isEmpty)
        take(1, from: mailbox)
        #expect(taken.count == 1_024)
        #expect(mailbox.deliver(batch(PacketMailbox.capacity..<(PacketMailbox.capacity + 1_024))))
        #expect(wakes.withLock { $0 } == 1, "it knows that there is more")
        take(.max, from: mailbox)
        #expect(taken == Array(0..<(PacketMailbox.capacity + 1_024)))
        #expect(mailbox.isEmpty)
        #expect(mailbox.deliver(batch(0..<1)))
        #expect(wakes.withLock { $0 } == 2)
        mailbox.close()
        #expect(mailbox.isEmpty)
        #expect(mailbox.take(upTo: .max).isEmpty)
        #expect(!mailbox.deliver(batch(0..<1)))
        #expect(wakes.withLock { $0 } == 2)
    }

    @Test("The loop of picoquic cannot share its port, and says so")
    func picoquicLoop() async throws {
        var configuration = QUICConfiguration(
            applicationProtocols: ["echo"],
            credentials: .selfSigned(try SelfSignedCertificate())
        )
        configuration.packetLoop = .picoquic
        let endpoint = PicoQuicExecutor(configuration: configuration)
        let member = PortGroup(count: 2).members[0]
        let error = await #expect(throws: QUICError.self) {
            _ = try await endpoint.start(on: .loopback(port: 0), member: member, isAccepting: true)
        }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message.contains("'epoll', not 'picoquic'") == true, "\(error?.message ?? "")")
        await endpoint.stop()
    }
}
#endif
