// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A UDP port that several endpoints of this process are going to listen at, held for them until they do.
///
/// Nobody else has the port when it is taken: sharing happens inside a server, never by accident between two. To be
/// released as soon as the first endpoint listens, because until then a socket that nobody reads is one of those that
/// the system spreads clients over.
package struct SharedPort: ~Copyable {
    /// Where to listen, with the port that the system chose, if it had the choice.
    package let address: QUICAddress

    private let descriptor: CInt

    /// How many ports are tried when the system may choose and one is not free for both families.
    private static let attempts = 8

    /// Takes the port.
    /// - Throws: `addressInUse`, `addressUnavailable` or `permissionDenied`, naming the address.
    package init(_ address: QUICAddress) throws(QUICError) {
        if address.port != 0 {
            try SocketPlan.probe(address)
        }
        var attempt = 1
        while true {
            let host = SocketPlan.hosts(of: address)[0]
            let reserved = try SocketPlan.socketAddress(host, port: address.port).reservePort()
            switch reserved {
            case .failure(let error):
                try SocketPlan.check(error.number, address)
                throw QUICError(.systemFailure, "cannot open a UDP socket on \(address)")
            case .success(let (descriptor, port)):
                do throws(QUICError) {
                    // The other family's socket, when there is one, has to get the same port.
                    for other in SocketPlan.hosts(of: address).dropFirst() {
                        let candidate = try SocketPlan.socketAddress(other, port: port)
                        try SocketPlan.check(candidate.probeBind(), QUICAddress(uncheckedHost: other, port: port))
                    }
                    self.address = QUICAddress(uncheckedHost: address.host, port: port)
                    self.descriptor = descriptor
                    return
                } catch {
                    _ = close(descriptor)
                    guard address.port == 0, error.code == .addressInUse, attempt < Self.attempts else {
                        throw error
                    }
                    attempt += 1
                }
            }
        }
    }

    deinit {
        _ = close(self.descriptor)
    }

    /// Leaves the port to those who listen there.
    package consuming func release() {}
}
