// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CPicoquic

@testable import PicoQuic

/// Takes packets out of the library for a test that has no socket to send them with.
enum PacketDrain {
    /// Takes all that a context has to send at a time, and throws them away; returns how many there were. Stops at the first
    /// error, as a driver would.
    static func run(_ quic: OpaquePointer, at now: UInt64) -> Int {
        var room = [UInt8](repeating: 0, count: Int(PICOQUIC_MAX_PACKET_SIZE))
        let capacity = room.count
        var packets = 0
        guard let nowhere = SocketAddress(host: "127.0.0.1", port: 9)?.raw else {
            return 0
        }
        while true {
            var (length, interface, target, source) = (0, CInt(0), nowhere, nowhere)
            var identifier = picoquic_connection_id_t()
            var connection: OpaquePointer?
            let code = unsafe picoquic_prepare_next_packet_ex(
                quic,
                now,
                &room,
                capacity,
                &length,
                &target,
                &source,
                &interface,
                &identifier,
                &connection,
                nil
            )
            guard code == 0, length > 0 else {
                return packets
            }
            packets += 1
        }
    }
}
