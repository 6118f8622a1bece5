// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import PicoQuic

/// One way by which clients reach a server: a backend, and where it listens.
///
/// A server takes any combination when it starts. What comes by different listeners meets on the same loops, and the
/// sessions above cannot tell by which they came.
public struct MoQListener: Hashable, Sendable, CustomStringConvertible {
    enum Backend: Hashable, Sendable {
        case rawQUIC(QUICAddress)
        case inProcess
    }

    let backend: Backend

    /// MoQ directly on QUIC, at a UDP address; the application protocol (ALPN) names the draft. The server needs
    /// credentials. A server has at most one such listener, because a loop has one QUIC endpoint.
    public static func rawQUIC(_ address: QUICAddress) -> MoQListener {
        MoQListener(backend: .rawQUIC(address))
    }

    /// Without sockets, for clients in the same process, on the server's own loop: see
    /// ``MoQPicoQuicClient/connect(to:shard:configuration:sessionConfiguration:makeHandler:)``. Nothing is encrypted, and
    /// no credentials are needed.
    public static let inProcess = MoQListener(backend: .inProcess)

    /// The address, if the listener has one.
    public var address: QUICAddress? {
        guard case .rawQUIC(let address) = self.backend else {
            return nil
        }
        return address
    }

    /// "raw QUIC at 127.0.0.1:4433", "in process".
    public var description: String {
        switch self.backend {
        case .rawQUIC(let address): "raw QUIC at \(address)"
        case .inProcess: "in process"
        }
    }
}
