// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CPicoquicShims

/// A numeric internet address with a port.
public struct QUICAddress: Hashable, Sendable, CustomStringConvertible {
    /// The address as text, without brackets: "127.0.0.1", "::1", "fe80::1%eth0".
    public let host: String

    /// The UDP port; 0 asks the system to choose one.
    public let port: UInt16

    /// Every IPv4 and IPv6 address of this host (IPv4 alone where there is no IPv6).
    public static func any(port: UInt16) -> QUICAddress {
        QUICAddress(uncheckedHost: "*", port: port)
    }

    /// This host, over IPv4.
    public static func loopback(port: UInt16) -> QUICAddress {
        QUICAddress(uncheckedHost: "127.0.0.1", port: port)
    }

    /// Reads a numeric address, or "*" or "::" for all addresses of this host. "0.0.0.0" stands for those of IPv4 alone.
    /// - Throws: `badAddress` when `host` is a name or nonsense.
    public init(host: String, port: UInt16) throws(QUICError) {
        var bare = host
        if bare.hasPrefix("["), bare.hasSuffix("]") {
            bare = String(bare.dropFirst().dropLast())
        }
        guard bare != "*" else {
            self.init(uncheckedHost: bare, port: port)
            return
        }
        guard let address = SocketAddress(host: bare, port: port) else {
            throw QUICError(.badAddress, "'\(host)' is not an IP address")
        }
        // "::" can be spelt in many ways.
        self.init(uncheckedHost: address.isUnspecified ? address.address?.host ?? bare : bare, port: port)
    }

    init(uncheckedHost host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// Whether the address stands for all addresses of both families.
    public var isAny: Bool { self.host == "*" || self.host == "::" }

    /// Whether it is an IPv6 address.
    public var isIPv6: Bool { self.host.contains(":") }

    /// "127.0.0.1:4433" or "[::1]:4433".
    public var description: String {
        self.isIPv6 ? "[\(self.host)]:\(self.port)" : "\(self.host):\(self.port)"
    }
}
