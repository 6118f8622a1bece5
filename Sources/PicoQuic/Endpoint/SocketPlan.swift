// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CPicoquic

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Which sockets are to be opened for an address, decided and tried out beforehand: the library's thread can only say that
/// it failed.
struct SocketPlan {
    /// What the library's loop is told.
    let parameters: picoquic_packet_loop_param_t
    /// What a loop of ours is told: one address for each socket, all with the port that was asked for.
    let addresses: [SocketAddress]
    /// Whether other sockets of this process are bound to the same addresses.
    let isPortShared: Bool
    /// The size of a socket's buffers.
    let bufferSize: Int32
    /// Where to listen, for messages.
    let address: QUICAddress

    /// Plans the sockets of an endpoint.
    ///
    /// Whether a port that endpoints share can be had a ``SharedPort`` has found out.
    /// - Throws: `addressInUse`, `addressUnavailable` or `permissionDenied`, naming the address.
    init(address: QUICAddress, bufferSize: Int32, isPortShared: Bool = false) throws(QUICError) {
        var parameters = picoquic_packet_loop_param_t()
        if !isPortShared {
            try Self.probe(address)
        }
        parameters.local_port = address.port
        parameters.socket_buffer_size = bufferSize
        if address.isAny {
            parameters.local_af = Self.hasIPv6 ? 0 : AF_INET
        } else {
            let socketAddress = try Self.socketAddress(address.host, port: address.port)
            parameters.local_af = socketAddress.family
            parameters.local_addr.0 = socketAddress.raw
        }
        self.parameters = parameters
        var addresses: [SocketAddress] = []
        for host in Self.hosts(of: address) {
            addresses.append(try Self.socketAddress(host, port: address.port))
        }
        self.addresses = addresses
        self.isPortShared = isPortShared
        self.bufferSize = bufferSize
        self.address = address
    }

    /// Whether this host has IPv6 at all.
    static var hasIPv6: Bool {
        SocketAddress(host: "::1", port: 0)?.probeBind() == 0
    }

    /// The addresses that sockets for `address` are bound to, the first one first.
    static func hosts(of address: QUICAddress) -> [String] {
        guard address.isAny else {
            return [address.host]
        }
        return Self.hasIPv6 ? ["0.0.0.0", "::"] : ["0.0.0.0"]
    }

    /// Finds out whether nobody else has the port.
    static func probe(_ address: QUICAddress) throws(QUICError) {
        for host in self.hosts(of: address) {
            try self.check(self.socketAddress(host, port: address.port).probeBind(), address)
        }
    }

    static func socketAddress(_ host: String, port: UInt16) throws(QUICError) -> SocketAddress {
        guard let socketAddress = SocketAddress(host: host, port: port) else {
            throw QUICError(.badAddress, "'\(host)' is not an IP address")
        }
        return socketAddress
    }

    static func check(_ number: CInt, _ address: QUICAddress) throws(QUICError) {
        let text = systemErrorText(number)
        switch number {
        case 0:
            return
        case EADDRINUSE:
            throw QUICError(.addressInUse, "UDP port \(address.port) is already in use (\(address))")
        case EADDRNOTAVAIL:
            throw QUICError(.addressUnavailable, "\(address.host) is not an address of this host")
        case EACCES, EPERM:
            throw QUICError(.permissionDenied, "not allowed to listen on \(address): \(text)")
        case EAFNOSUPPORT:
            throw QUICError(.addressUnavailable, "this host does not support addresses like \(address.host)")
        default:
            throw QUICError(.systemFailure, "cannot open a UDP socket on \(address): \(text)")
        }
    }
}
