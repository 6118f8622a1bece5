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

    /// Joins two sessions on `loop`; both are ready at once.
    public init(loop: PacketLoop, configuration: InMemoryLinkConfiguration = InMemoryLinkConfiguration()) {
        self.client = InMemoryWebTransport(role: .client, loop: loop, configuration: configuration)
        self.server = InMemoryWebTransport(role: .server, loop: loop, configuration: configuration)
        self.client.endpoint.peer = self.server.endpoint
        self.server.endpoint.peer = self.client.endpoint
        for endpoint in [self.client.endpoint, self.server.endpoint] {
            endpoint.didShutDown = { [weak self] in self?.endpointDidShutDown() }
        }
    }

    /// Whether both sessions have ended.
    public var isOver: Bool { self.client.endpoint.isClosed && self.server.endpoint.isClosed }

    private func endpointDidShutDown() {
        guard self.isOver, let ended = self.ended, self.client.endpoint.loop.isOnLoop else { return }
        self.ended = nil
        // Not from inside: whoever is told may drop the link, and an end is in the middle of its own.
        _ = self.client.endpoint.loop.schedule(after: .zero, ended)
    }

    deinit {
        self.sever(.other)
    }

    /// Cuts the link: both sessions end for `cause`, the client's first, and are told `reason`.
    public func sever(_ cause: WebTransportCloseInfo.TransportCause, reason: String = "") {
        let info = WebTransportCloseInfo(origin: .transport(cause), reason: reason)
        self.client.endpoint.sever(info)
        self.server.endpoint.sever(info)
    }

    /// Loses this share of the packets from now on, from 0 to 1.
    public func setLoss(_ loss: Double) {
        self.client.endpoint.loss = loss
        self.server.endpoint.loss = loss
    }
}
