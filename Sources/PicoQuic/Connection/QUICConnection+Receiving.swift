// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CPicoquic
import CPicoquicShims

extension QUICConnection {
    /// How far a stream of the peer has come: in-order bytes that the library has taken, whether reported or not, and the
    /// highest offset that the peer used.
    ///
    /// For a stream that the peer has reset, the bytes that are missing count as taken from then on: otherwise the library
    /// would never allow the peer another stream in its place. Nil when the stream does not exist.
    public func settleReceiving(stream: UInt64) -> (delivered: UInt64, highest: UInt64)? {
        guard let cnx = unsafe self.cnx else {
            return nil
        }
        var delivered: UInt64 = 0
        var highest: UInt64 = 0
        guard unsafe cpq_settle_receiving(cnx, stream, &delivered, &highest) == 0 else {
            return nil
        }
        return (delivered, highest)
    }

    /// Sets the place of datagrams in the sending order, compared with the priorities of streams.
    public func setDatagramPriority(_ priority: UInt8) {
        guard let cnx = unsafe self.cnx else {
            return
        }
        unsafe picoquic_set_datagram_priority(cnx, priority)
    }
}
