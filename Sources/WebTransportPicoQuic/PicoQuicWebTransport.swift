// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import PacketLoop
public import PicoQuic
public import WebTransport

/// A session on raw QUIC: the connection's streams and datagrams are the session's. (loop)
///
/// It closes with an application close of the connection. QUIC has no signal for a session that drains, so `drain()` tells the
/// peer nothing.
///
/// Made for a connection whose handshake got far enough to name its application protocol, on the connection's loop, and made
/// its delegate: a server's acceptor returns it, a client's `connect` is given it. The connection holds it until its end.
/// The endpoint has to be configured with `QUICConfiguration.adopt(_:)` for the same bounds.
///
///     QUICConnection ──events──► PicoQuicWebTransport ──► WebTransportStreamManager ──► handler, readers, delegates
///           ▲                                                       │
///           └────────────── PicoQuicStreamBackend ◄─────────────────┘
public final class PicoQuicWebTransport: ManagedWebTransportSession {
    let backend: PicoQuicStreamBackend
    private let applicationProtocol: String?
    private var isPeerKnown: Bool

    /// Makes the session of a connection.
    public init(
        connection: QUICConnection,
        loop: PacketLoop,
        configuration: WebTransportConfiguration = WebTransportConfiguration()
    ) {
        let role: WebTransportRole = connection.role == .client ? .client : .server
        self.applicationProtocol = connection.applicationProtocol
        self.isPeerKnown = role == .client || connection.isHandshakeComplete
        self.backend = PicoQuicStreamBackend(connection: connection, loop: loop)
        super.init(
            manager: WebTransportStreamManager(role: role, configuration: configuration, backend: self.backend)
        )
        connection.setDatagramPriority(StreamPriority.datagram.rawValue)
    }

    /// The ALPN that the handshake agreed on.
    public override var negotiatedProtocol: String? { self.applicationProtocol }

    /// The address of this side on the path in use; after the end the last one.
    public override var localAddress: String { self.backend.addresses.local }

    /// The address of the peer on the path in use, which changes when the peer moves; after the end the last one.
    public override var peerAddress: String { self.backend.addresses.peer }

    /// False on a server until the handshake is complete: before that only 0-RTT data arrives. What a server sends is never
    /// 0-RTT data.
    public override var isConfirmed: Bool { self.isPeerKnown }

    /// What the library knows of the path.
    public override var pathStatistics: WebTransportPathStatistics { self.backend.pathStatistics }

    /// Takes note that the handshake is complete. Returns false when that was known.
    func confirm() -> Bool {
        guard !self.isPeerKnown else { return false }
        self.isPeerKnown = true
        return true
    }
}
