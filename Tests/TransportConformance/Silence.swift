// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import WebTransport

/// Notices that a session neither sends nor receives packets any more. Unchecked because only its peer's loop looks inside.
final class Silence: @unchecked Sendable {
    private var packets: (sent: UInt64, received: UInt64)?
    private var begin = LoopInstant(microseconds: 0)

    /// Whether nothing has come or gone for so long, as far as this was called meanwhile. (loop)
    func hasLasted(_ duration: Duration, peer: Peer) -> Bool {
        let path = peer.session.statistics.path
        let packets = (sent: path?.packetsSent ?? 0, received: path?.packetsReceived ?? 0)
        if let known = self.packets, known == packets {
            return self.begin.duration(to: peer.loop.now) >= duration
        }
        self.packets = packets
        self.begin = peer.loop.now
        return false
    }
}
