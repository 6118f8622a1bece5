// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#if os(Linux)
import Foundation
import Glibc
import PacketLoop
import Synchronization
import TestSupport

/// Sends garbage to a port of the loopback interface as fast as whoever has the port takes it: from a thread of its
/// own, and always so much ahead that the port's sockets never run empty, but not so much that the kernel drops any.
final class Flood: Sendable {
    /// There is no socket, or nobody has the port.
    struct Failure: Error {}

    /// How many bytes of memory the kernel is to use for what waits at a socket: some hundred datagrams, more than a
    /// loop takes in a round.
    private static let backlog = 1 << 20
    /// What asks for that: `SO_MEMINFO`, which Swift does not import, and the place of `SK_MEMINFO_RMEM_ALLOC` and
    /// `SK_MEMINFO_RCVBUF` in its answer.
    private static let memoryOption: CInt = 55
    private static let (used, granted) = (0, 1)

    private let descriptor: CInt
    private let targets: [CInt]
    private let sent = Atomic<Int>(0)
    private let isStopped = Atomic<Bool>(false)
    private let isOver = DispatchSemaphore(value: 0)

    /// Begins. `limit` bounds how many datagrams are sent; `seed` decides which.
    init(at port: UInt16, limit: Int, seed: UInt64) throws {
        self.descriptor = socket(AF_INET, CInt(SOCK_DGRAM.rawValue), 0)
        self.targets = sockets(boundTo: port)
        guard self.descriptor >= 0, !self.targets.isEmpty else { throw Failure() }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let descriptor = self.descriptor
        let isConnected = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe connect(descriptor, pointer, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected else { throw Failure() }
        Thread.detachNewThread {
            self.run(Garbage(seed: seed), limit: limit)
            self.isOver.signal()
        }
    }

    deinit {
        close(self.descriptor)
    }

    /// How many datagrams have been sent.
    var count: Int { self.sent.load(ordering: .relaxed) }

    /// Ends it, and waits for the thread.
    func stop() {
        self.isStopped.store(true, ordering: .relaxed)
        self.isOver.wait()
        self.isOver.signal()
    }

    /// Waits until everything has been sent.
    func finish() {
        self.isOver.wait()
        self.isOver.signal()
    }

    private func run(_ garbage: Garbage, limit: Int) {
        var garbage = garbage
        while self.count < limit, !self.isStopped.load(ordering: .relaxed) {
            guard !self.isFarAhead else {
                sched_yield()
                continue
            }
            for _ in 0..<32 where self.count < limit {
                let datagram = garbage.next()
                if unsafe send(self.descriptor, datagram, datagram.count, 0) == datagram.count {
                    self.sent.add(1, ordering: .relaxed)
                }
            }
        }
    }

    private var isFarAhead: Bool {
        self.targets.contains { target in
            var figures = [UInt32](repeating: 0, count: 16)
            var size = socklen_t(figures.count * MemoryLayout<UInt32>.size)
            guard unsafe getsockopt(target, SOL_SOCKET, Self.memoryOption, &figures, &size) == 0 else { return false }
            return Int(figures[Self.used]) > min(Self.backlog, Int(figures[Self.granted]) / 4)
        }
    }
}

/// Datagrams that no connection wants, the same ones for the same seed.
struct Garbage {
    /// What it looks like.
    enum Kind: CaseIterable {
        /// A short header with an ID that nobody gave out.
        case unknownConnection
        /// A long header of a version that does not exist, long enough to be answered.
        case unknownVersion
        /// An Initial of version 1 whose protection does not hold.
        case brokenInitial
        /// A single byte.
        case singleByte
    }

    private var state: UInt64

    init(seed: UInt64) {
        self.state = seed
    }

    /// SplitMix64.
    private mutating func random() -> UInt64 {
        self.state &+= 0x9e37_79b9_7f4a_7c15
        var value = self.state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }

    private mutating func bytes(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 8)
        while bytes.count < count {
            unsafe withUnsafeBytes(of: self.random()) { unsafe bytes.append(contentsOf: $0) }
        }
        return Array(bytes.prefix(count))
    }

    /// What RFC 8999 section 5.1 has all versions begin with: a byte and the version, then both IDs with their lengths.
    private mutating func longHeader(_ start: [UInt8]) -> [UInt8] {
        var header = start
        for _ in 0..<2 {
            header.append(8)
            header += self.bytes(8)
        }
        return header
    }

    /// The next one.
    mutating func next() -> [UInt8] {
        let kinds = Kind.allCases
        return self.make(kinds[Int(self.random() % UInt64(kinds.count))])
    }

    /// One of a kind.
    mutating func make(_ kind: Kind) -> [UInt8] {
        switch kind {
        case .unknownConnection:
            var bytes = self.bytes(40 + Int(self.random() % 200))
            bytes[0] = 0x40 | bytes[0] & 0x3f
            return bytes
        case .unknownVersion:
            return self.longHeader([0xc0, 0x1a, 0x2a, 0x3a, 0x4b]) + self.bytes(1_178)
        case .brokenInitial:
            // RFC 9000 section 17.2.2: no token, and the length of the rest.
            return self.longHeader([0xc3, 0, 0, 0, 1]) + [0, 0x44, 0x98] + self.bytes(1_176)
        case .singleByte:
            return self.bytes(1)
        }
    }
}
#endif
