// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Packets on their way from one member of a ``PortGroup`` to another, with what the kernel said of each.
struct PacketBatch: Sendable {
    /// What is known of a packet beside its bytes.
    struct Packet: Sendable {
        /// Where its bytes are among those of the batch.
        var range: Range<Int>
        var from: sockaddr_storage
        var to: sockaddr_storage
        var interface: CInt
        var ecn: UInt8
        /// Whether the member that it is for has no connection for it.
        var isOrphan: Bool
    }

    private(set) var packets: [Packet] = []
    private var bytes: [UInt8] = []

    /// Adds a packet.
    mutating func append(
        _ datagram: UnsafeMutableBufferPointer<UInt8>,
        from: sockaddr_storage,
        to: sockaddr_storage,
        interface: CInt,
        ecn: UInt8,
        isOrphan: Bool
    ) {
        let start = self.bytes.count
        unsafe self.bytes.append(contentsOf: datagram)
        self.packets.append(
            Packet(
                range: start..<self.bytes.count,
                from: from,
                to: to,
                interface: interface,
                ecn: ecn,
                isOrphan: isOrphan
            )
        )
    }

    /// Lends each packet with its bytes, which `body` may change.
    mutating func forEach(_ body: (_ datagram: UnsafeMutableBufferPointer<UInt8>, _ packet: Packet) -> Void) {
        let packets = self.packets
        unsafe self.bytes.withUnsafeMutableBufferPointer { bytes in
            for packet in packets {
                unsafe body(UnsafeMutableBufferPointer(rebasing: bytes[packet.range]), packet)
            }
        }
    }
}
