// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CPicoquic

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Where the two sides are. The library follows a peer whose address changes (RFC 9000 section 9); what is asked for here
/// is what it uses at that moment, and after the end what it used last. (loop)
extension QUICConnection {
    /// Our address. Nil while it is not known: a client learns it with the first packet that arrives.
    public var localAddress: QUICAddress? { self.currentAddresses.local?.address }

    /// The peer's address.
    public var peerAddress: QUICAddress? { self.currentAddresses.peer?.address }

    /// The destination connection id of the client's first packet, which logs name the connection by; empty after the end.
    public var initialConnectionID: [UInt8] {
        guard let cnx = unsafe self.cnx else {
            return []
        }
        let id = unsafe picoquic_get_initial_cnxid(cnx)
        return unsafe withUnsafeBytes(of: id.id) { unsafe Array($0.prefix(Int(id.id_len))) }
    }

    /// Both addresses of the path in use.
    var currentAddresses: (local: SocketAddress?, peer: SocketAddress?) {
        guard let cnx = unsafe self.cnx else {
            return self.lastAddresses
        }
        var local: UnsafeMutablePointer<sockaddr>?
        var peer: UnsafeMutablePointer<sockaddr>?
        unsafe picoquic_get_local_addr(cnx, &local)
        unsafe picoquic_get_peer_addr(cnx, &peer)
        return unsafe (
            SocketAddress(copying: UnsafePointer(local)),
            SocketAddress(copying: UnsafePointer(peer))
        )
    }
}
