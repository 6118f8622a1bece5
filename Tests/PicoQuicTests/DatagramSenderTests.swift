// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#if os(Linux)
import CLoopSupport
import CPicoquic
import Glibc
import Testing

@testable import PicoQuic

@Suite("What leaves together", .tags(.network), .timeLimit(.minutes(1)))
struct DatagramSenderTests {
    /// Stands for the kernel: notes what it is given, and answers as it is told.
    private final class Kernel {
        struct Message: Equatable {
            var bytes: [UInt8]
            var segment: Int
            var port: UInt16
        }

        var taken: [Message] = []
        /// How many calls there were.
        var calls = 0
        /// What to answer next; without any, everything is taken.
        var answers: [CInt] = []
        var unreachable: [CInt] = []

        func take(_ messages: UnsafePointer<cls_message>, _ count: UInt32) -> CInt {
            self.calls += 1
            let answer = self.answers.isEmpty ? CInt(count) : self.answers.removeFirst()
            for index in 0..<max(0, min(Int(answer), Int(count))) {
                let message = unsafe messages[index]
                let address = unsafe withUnsafeBytes(of: message.to) { unsafe $0.load(as: sockaddr_in.self) }
                self.taken.append(
                    Message(
                        bytes: unsafe Array(UnsafeBufferPointer(start: message.bytes, count: message.count)),
                        segment: unsafe message.segment,
                        port: UInt16(bigEndian: address.sin_port)
                    )
                )
            }
            return answer
        }
    }

    private let kernel = Kernel()

    private func makeSender(sockets: Int = 1) throws -> DatagramSender {
        let plan = try SocketPlan(address: .loopback(port: 0), bufferSize: 1 << 16)
        let opened = try (0..<sockets).flatMap { _ in try UDPSocket.open(plan, ecn: 0) }
        let kernel = self.kernel
        return unsafe DatagramSender(
            opened,
            transmit: { unsafe kernel.take($1, $2) },
            unreachable: { _, error in kernel.unreachable.append(error) }
        )
    }

    private func path(_ port: UInt16 = 1, connection: UInt = 1, socket: Int = 0) throws -> DatagramSender.Path {
        var path = DatagramSender.Path()
        path.to = try #require(SocketAddress(host: "127.0.0.1", port: port)).raw
        path.connection = connection
        path.socket = socket
        return path
    }

    /// Does what the library does: writes to the tail.
    private func add(
        _ count: Int,
        of segment: Int,
        filledWith byte: UInt8 = 0,
        on path: DatagramSender.Path,
        to sender: DatagramSender
    ) {
        let room = unsafe sender.withTail { tail, room in
            unsafe tail.update(repeating: byte, count: min(count, room))
            return room
        }
        #expect(room >= count)
        sender.append(count, segment: segment, on: path)
    }

    @Test("Results of one path become one message, which ends with the first shorter datagram")
    func merging() throws {
        let sender = try self.makeSender()
        let path = try self.path()
        self.add(2_400, of: 1_200, filledWith: 1, on: path, to: sender)
        self.add(1_200, of: 0, filledWith: 2, on: path, to: sender)
        self.add(700, of: 0, filledWith: 3, on: path, to: sender)
        self.add(1_200, of: 1_200, filledWith: 4, on: path, to: sender)
        sender.flush()
        let first = [UInt8](repeating: 1, count: 2_400) + [UInt8](repeating: 2, count: 1_200)
        let expected = [
            Kernel.Message(bytes: first + [UInt8](repeating: 3, count: 700), segment: 1_200, port: 1),
            Kernel.Message(bytes: [UInt8](repeating: 4, count: 1_200), segment: 1_200, port: 1),
        ]
        #expect(self.kernel.taken == expected)
        #expect(self.kernel.calls == 1)
    }

    @Test("Other peers, other connections and other sizes are other messages")
    func separation() throws {
        let sender = try self.makeSender()
        self.add(1_200, of: 0, on: try self.path(1), to: sender)
        self.add(1_200, of: 0, on: try self.path(2), to: sender)
        self.add(1_200, of: 0, on: try self.path(2, connection: 2), to: sender)
        self.add(1_300, of: 0, on: try self.path(2, connection: 2), to: sender)
        sender.flush()
        #expect(self.kernel.taken.map(\.bytes.count) == [1_200, 1_200, 1_200, 1_300])
        #expect(self.kernel.taken.map(\.port) == [1, 2, 2, 2])
    }

    @Test("No message has more than 64 datagrams or 65,507 bytes", arguments: [100, 1_252, 1_440])
    func limits(size: Int) throws {
        let sender = try self.makeSender()
        let path = try self.path()
        var sent = 0
        for _ in 0..<300 {
            self.add(size, of: 0, on: path, to: sender)
            sent += size
            if sender.isFull { sender.flush() }
        }
        sender.flush()
        #expect(self.kernel.taken.map(\.bytes.count).reduce(0, +) == sent)
        for message in self.kernel.taken {
            #expect(message.bytes.count <= 65_507)
            #expect(message.bytes.count <= 64 * size)
        }
        #expect(self.kernel.calls < 12)
    }

    @Test("What the kernel has no room for stays, in order, and leaves when there is room")
    func noRoom() throws {
        let sender = try self.makeSender()
        for port in 1...5 as ClosedRange<UInt16> {
            self.add(Int(port) * 100, of: 0, on: try self.path(port), to: sender)
        }
        self.kernel.answers = [2, -EAGAIN]
        sender.flush()
        #expect(sender.blocked == 0)
        #expect(self.kernel.taken.map(\.port) == [1, 2])
        self.kernel.answers = [-EAGAIN]
        sender.flush()
        #expect(sender.blocked == 0)
        sender.flush()
        #expect(sender.blocked == nil)
        #expect(self.kernel.taken.map(\.port) == [1, 2, 3, 4, 5])
        #expect(self.kernel.taken.map(\.bytes.count) == [100, 200, 300, 400, 500])
        #expect(sender.refused == 0)
    }

    @Test("Where the driver cannot cut, datagrams leave one by one, and nothing is cut from then on")
    func noCutting() throws {
        let sender = try self.makeSender()
        let path = try self.path()
        self.add(3_000, of: 1_200, on: path, to: sender)
        // The message, then its first datagram, then no room for the second.
        self.kernel.answers = [-EIO, 1, -EAGAIN]
        sender.flush()
        #expect(!sender.cutsMessages)
        #expect(sender.blocked == 0)
        self.kernel.answers = [-EIO, 1, 1]
        sender.flush()
        #expect(sender.blocked == nil)
        #expect(self.kernel.taken.map(\.bytes.count) == [1_200, 1_200, 600])
        #expect(self.kernel.taken.map(\.segment) == [0, 0, 0])
        let room = unsafe sender.withTail { _, room in room }
        #expect(room == Int(PICOQUIC_MAX_PACKET_SIZE))
        self.add(1_200, of: 0, on: path, to: sender)
        self.add(1_200, of: 0, on: path, to: sender)
        sender.flush()
        #expect(self.kernel.taken.suffix(2).map(\.bytes.count) == [1_200, 1_200])
    }

    @Test("A peer that cannot be reached is reported, and the others get theirs")
    func unreachable() throws {
        let sender = try self.makeSender()
        for port in 1...3 as ClosedRange<UInt16> {
            self.add(100, of: 0, on: try self.path(port), to: sender)
        }
        self.kernel.answers = [1, -ENETUNREACH, 1]
        sender.flush()
        #expect(self.kernel.taken.map(\.port) == [1, 3])
        #expect(self.kernel.unreachable == [ENETUNREACH])
        #expect(sender.refused == 1)
        #expect(sender.blocked == nil)
    }

    @Test("Two sockets have a call each, and nothing is mixed up")
    func twoSockets() throws {
        let sender = try self.makeSender(sockets: 2)
        self.add(1_000, of: 0, filledWith: 1, on: try self.path(1), to: sender)
        self.add(1_000, of: 0, filledWith: 2, on: try self.path(1, socket: 1), to: sender)
        self.add(1_000, of: 0, filledWith: 3, on: try self.path(1), to: sender)
        sender.flush()
        #expect(self.kernel.calls == 3)
        #expect(self.kernel.taken.map(\.bytes.first) == [1, 2, 3])
    }

    @Test("What one socket has no room for is not lost when more is written for another, and leaves in its turn")
    func twoSocketsWithoutRoom() throws {
        let sender = try self.makeSender(sockets: 2)
        self.kernel.answers = [-EAGAIN]
        for (index, socket) in [0, 1, 1, 0].enumerated() {
            self.add(1_000, of: 0, on: try self.path(UInt16(index + 1), socket: socket), to: sender)
        }
        sender.flush()
        #expect(sender.blocked == 0)
        #expect(self.kernel.taken.isEmpty)
        self.kernel.answers = [1, 1, -EAGAIN]
        sender.flush()
        #expect(sender.blocked == 1)
        #expect(self.kernel.taken.map(\.port) == [1, 2])
        sender.flush()
        #expect(sender.blocked == nil)
        #expect(self.kernel.taken.map(\.port) == [1, 2, 3, 4])
        #expect(sender.refused == 0)
    }
}
#endif
