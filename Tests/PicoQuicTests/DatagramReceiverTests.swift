// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#if os(Linux)
import CLoopSupport
import CPicoquic
import Glibc
import Testing

@testable import PicoQuic

@Suite("What arrives together", .tags(.network), .timeLimit(.minutes(1)))
struct DatagramReceiverTests {
    /// Receives until so many datagrams have come. The loopback interface delivers while the sender sends.
    private func receive(_ count: Int, _ socket: UDPSocket, from sender: UDPSocket) throws -> [[UInt8]] {
        let receiver = try DatagramReceiver()
        var datagrams: [[UInt8]] = []
        while datagrams.count < count {
            let outcome = unsafe receiver.receive(from: socket) { datagram, source in
                datagrams.append(unsafe Array(datagram))
                let from = unsafe source.pointee.from
                let port = unsafe withUnsafeBytes(of: from) { unsafe $0.load(as: sockaddr_in.self).sin_port }
                #expect(UInt16(bigEndian: port) == sender.port)
                let to = unsafe withUnsafeBytes(of: source.pointee.to) { unsafe $0.load(as: sockaddr_in.self) }
                #expect(UInt16(bigEndian: to.sin_port) == socket.port)
                #expect(to.sin_addr.s_addr == UInt32(0x7f00_0001).bigEndian)
                #expect(unsafe source.pointee.ecn == 1)
            }
            guard case .received(let number, _) = outcome, number > 0 else {
                Issue.record("\(outcome) after \(datagrams.count)")
                break
            }
        }
        #expect(receiver.dropped == 0)
        return datagrams
    }

    @Test(
        "A message that the kernel cut arrives as the datagrams that it was cut into, with sender, target and ECN bits"
    )
    func segments() throws {
        let plan = try SocketPlan(address: .loopback(port: 0), bufferSize: 1 << 20)
        let socket = try #require(try UDPSocket.open(plan, ecn: 0).first)
        let sender = try #require(try UDPSocket.open(plan, ecn: 1).first)
        var bytes: [UInt8] = []
        for index in 0..<20 as Range<UInt8> {
            bytes += [UInt8](repeating: index, count: index < 19 ? 1_000 : 300)
        }
        try sender.send(bytes, segment: 1_000, toLocal: socket.port)
        let datagrams = try self.receive(20, socket, from: sender)
        #expect(datagrams.map(\.count) == [Int](repeating: 1_000, count: 19) + [300])
        #expect(datagrams.map(\.first) == (0..<20).map { UInt8($0) })
    }

    @Test("Datagrams of many sizes arrive as they were sent")
    func singles() throws {
        let plan = try SocketPlan(address: .loopback(port: 0), bufferSize: 1 << 20)
        let socket = try #require(try UDPSocket.open(plan, ecn: 0).first)
        let sender = try #require(try UDPSocket.open(plan, ecn: 1).first)
        let sizes = (1...30).map { $0 * 47 }
        for size in sizes {
            let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: size), count: size)
            try sender.send(bytes, toLocal: socket.port)
        }
        #expect(try self.receive(30, socket, from: sender).map(\.count) == sizes)
    }
}
#endif
