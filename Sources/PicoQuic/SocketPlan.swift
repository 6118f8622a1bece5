// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CPicoquic

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Which sockets the network thread is to open for an address, decided and tried out beforehand: the thread itself can
/// only say that it failed.
struct SocketPlan {
    /// What the library's loop is told.
    let parameters: picoquic_packet_loop_param_t

    /// Plans the sockets of an endpoint.
    /// - Throws: `addressInUse`, `addressUnavailable` or `permissionDenied`, naming the address.
    init(address: QUICAddress, bufferSize: Int32) throws(QUICError) {
        var parameters = picoquic_packet_loop_param_t()
        parameters.local_port = address.port
        parameters.socket_buffer_size = bufferSize
        if address.isAny {
            try Self.probe("0.0.0.0", address)
            if Self.hasIPv6 {
                try Self.probe("::", address)
                parameters.local_af = 0
            } else {
                parameters.local_af = AF_INET
            }
        } else {
            guard let socketAddress = SocketAddress(host: address.host, port: address.port) else {
                throw QUICError(.badAddress, "'\(address.host)' is not an IP address")
            }
            try Self.check(socketAddress.probeBind(), address)
            parameters.local_af = socketAddress.family
            parameters.local_addr.0 = socketAddress.raw
        }
        self.parameters = parameters
    }

    /// Whether this host has IPv6 at all.
    static var hasIPv6: Bool {
        SocketAddress(host: "::1", port: 0)?.probeBind() == 0
    }

    private static func probe(_ host: String, _ address: QUICAddress) throws(QUICError) {
        guard let socketAddress = SocketAddress(host: host, port: address.port) else {
            throw QUICError(.badAddress, "'\(host)' is not an IP address")
        }
        try self.check(socketAddress.probeBind(), address)
    }

    private static func check(_ number: CInt, _ address: QUICAddress) throws(QUICError) {
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
