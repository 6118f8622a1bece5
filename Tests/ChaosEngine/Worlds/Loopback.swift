// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// UDP sockets on the loopback interface.
enum Loopback {
    /// Opens a socket; -1 when the system has none.
    static func open() -> CInt {
        socket(
            AF_INET,
            CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue),
            0
        )
    }

    /// Opens a socket whose datagrams go to a port.
    static func open(to port: UInt16) -> CInt {
        let descriptor = self.open()
        var target = self.address(port)
        _ = unsafe self.with(&target) { unsafe connect(descriptor, $0, self.size) }
        return descriptor
    }

    /// Binds a socket to a port that the system chooses, and returns it.
    static func bindAny(_ descriptor: CInt) -> UInt16 {
        var address = self.address(0)
        _ = unsafe self.with(&address) { unsafe bind(descriptor, $0, self.size) }
        var count = self.size
        _ = unsafe self.with(&address) { unsafe getsockname(descriptor, $0, &count) }
        return UInt16(bigEndian: address.sin_port)
    }

    /// The address of a port.
    static func address(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }

    static let size = socklen_t(MemoryLayout<sockaddr_in>.size)

    /// Lends an address to a call of the system.
    static func with<R>(_ address: inout sockaddr_in, _ body: (UnsafeMutablePointer<sockaddr>) -> R) -> R {
        unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0) }
        }
    }

    /// Sends a datagram over a connected socket.
    static func send(_ bytes: [UInt8], over descriptor: CInt) {
        _ = unsafe Glibc.send(descriptor, bytes, bytes.count, CInt(MSG_NOSIGNAL))
    }

    /// Sends datagrams to a port that are nothing, or nearly something.
    static func sendJunk(to port: UInt16, number: Int, seed: UInt64) {
        var random = ChaosRandom(seed: seed, 0x6a75_6e6b)
        let descriptor = self.open(to: port)
        for _ in 0..<number {
            var bytes = (0..<random.size(upTo: 1_400)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            let version: [UInt8] = random.pick([
                [0, 0, 0, 1], [0, 0, 0, 0], [0x6b, 0x33, 0x43, 0xcf], [0xa, 0xa, 0xa, 0xa],
            ])
            if random.chance(perMille: 600), bytes.count > 30 {
                // A long header of a known or an unknown version, with connection ids of any length.
                bytes[0] |= 0xc0
                bytes.replaceSubrange(1..<5, with: version)
                if random.chance(perMille: 700) { bytes[5] = 8 }
                if random.chance(perMille: 700) { bytes[14] = 8 }
                if random.chance(perMille: 500), bytes.count < 1_200 {
                    bytes += [UInt8](repeating: 0, count: 1_200 - bytes.count)
                }
            } else if random.chance(perMille: 500) {
                bytes[0] = (bytes[0] & 0x7f) | 0x40
            }
            self.send(bytes, over: descriptor)
        }
        close(descriptor)
    }
}
