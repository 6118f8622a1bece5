// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
public import WebTransport

/// What is below a session within the process.
protocol InMemoryBackend: WebTransportStreamBackend {
    /// The session's streams. The backend does not keep them.
    var manager: WebTransportStreamManager? { get set }

    /// What was sent and received.
    var pathStatistics: WebTransportPathStatistics { get }
}

/// One end of an `InMemoryLink` or of a `LoopBridge`, which tells its peer when it drains. (loop)
public final class InMemoryWebTransport: ManagedWebTransportSession {
    private let backend: any InMemoryBackend
    private let applicationProtocol: String?
    private let knowsURI: Bool

    init(
        role: WebTransportRole,
        configuration: WebTransportConfiguration,
        negotiatedProtocol: String?,
        carriesURI: Bool = false,
        backend: any InMemoryBackend
    ) {
        self.backend = backend
        self.applicationProtocol = negotiatedProtocol
        self.knowsURI = carriesURI
        let manager = WebTransportStreamManager(role: role, configuration: configuration, backend: backend)
        backend.manager = manager
        super.init(manager: manager)
    }

    /// The application protocol that the configuration names.
    public override var negotiatedProtocol: String? { self.applicationProtocol }

    /// What the configuration says.
    public override var carriesURI: Bool { self.knowsURI }

    /// A name for this end.
    public override var localAddress: String { self.role == .client ? "in-memory client" : "in-memory server" }

    /// A name for the other end.
    public override var peerAddress: String { self.role == .client ? "in-memory server" : "in-memory client" }

    /// What became of the packets or batches.
    public override var pathStatistics: WebTransportPathStatistics { self.backend.pathStatistics }
}
