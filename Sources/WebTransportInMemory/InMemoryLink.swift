// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import PacketLoop
public import WebTransport

/// Two sessions, a client's and a server's, joined by a simulated link on one loop. (loop)
///
/// Packets take a latency, may be lost, and keep to windows and stream limits in both directions as on a real connection;
/// with a `ManualLoopDriver` all of it happens in virtual time and is the same in every run. The sessions work as long as the
/// link is kept: when it is dropped, those that are still open end as if it had been cut.
public final class InMemoryLink {
    /// The client's session.
    public let client: InMemoryWebTransport
    /// The server's session.
    public let server: InMemoryWebTransport

    /// Called once, soon after both sessions have ended. (loop)
    public var ended: (() -> Void)?

    private let clientEnd: InMemoryEndpoint
    private let serverEnd: InMemoryEndpoint

    /// Joins two sessions on `loop`; both are ready at once.
    public init(loop: PacketLoop, configuration: InMemoryLinkConfiguration = InMemoryLinkConfiguration()) {
        let client = InMemoryEndpoint(role: .client, loop: loop, configuration: configuration)
        let server = InMemoryEndpoint(role: .server, loop: loop, configuration: configuration)
        self.clientEnd = client
        self.serverEnd = server
        self.client = InMemoryWebTransport(
            role: .client,
            configuration: configuration.client,
            negotiatedProtocol: configuration.negotiatedProtocol,
            carriesURI: configuration.carriesURI,
            backend: client
        )
        self.server = InMemoryWebTransport(
            role: .server,
            configuration: configuration.server,
            negotiatedProtocol: configuration.negotiatedProtocol,
            carriesURI: configuration.carriesURI,
            backend: server
        )
        client.peer = server
        server.peer = client
        for endpoint in [client, server] {
            endpoint.didShutDown = { [weak self] in self?.endpointDidShutDown() }
        }
    }

    /// Whether both sessions have ended.
    public var isOver: Bool { self.clientEnd.isClosed && self.serverEnd.isClosed }

    private func endpointDidShutDown() {
        guard self.isOver, let ended = self.ended, self.clientEnd.loop.isOnLoop else { return }
        self.ended = nil
        // Not from inside: whoever is told may drop the link, and an end is in the middle of its own.
        _ = self.clientEnd.loop.schedule(after: .zero, ended)
    }

    deinit {
        self.sever(.other)
    }

    /// Cuts the link: both sessions end for `cause`, the client's first, and are told `reason`.
    public func sever(_ cause: WebTransportCloseInfo.TransportCause, reason: String = "") {
        let info = WebTransportCloseInfo(origin: .transport(cause), reason: reason)
        self.clientEnd.sever(info)
        self.serverEnd.sever(info)
    }

    /// Loses this share of the packets from now on, from 0 to 1.
    public func setLoss(_ loss: Double) {
        self.clientEnd.loss = loss
        self.serverEnd.loss = loss
    }
}
