// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire
internal import PacketLoop
internal import WebTransport

/// A publisher at a relay that has every track of its namespace, and never sends an object. (loop)
final class QuietOrigin: LoadSessionHandler {
    private let namespace: TrackNamespace
    private let events: LoadEvents
    private var publication: NamespacePublication?

    private init(namespace: TrackNamespace, events: LoadEvents) {
        self.namespace = namespace
        self.events = events
    }

    /// Connects to the relay and announces the namespace. Returns when the relay has accepted it.
    /// - Returns: what to stop when it is not needed any more, and what tells when it is lost before.
    static func start(
        _ namespace: TrackNamespace,
        at server: LoadServer
    ) async throws -> (clients: LoadClients, events: LoadEvents) {
        let clients = try await LoadClients(label: "bench-origin", to: server)
        let events = LoadEvents()
        let loop = clients.loop
        do {
            try await clients.connect { transport, profile in
                MoQSession(
                    transport: transport,
                    loop: loop,
                    profile: profile,
                    configuration: server.session,
                    handler: QuietOrigin(namespace: namespace, events: events)
                ).start()
            }
            try await events.wait(for: events.announced, "the relay did not answer the publisher's namespace")
            return (clients, events)
        } catch {
            await clients.stop()
            throw error
        }
    }

    func sessionDidSetUp(_ session: MoQSession) {
        self.publication = self.announce(self.namespace, in: session, self.events)
    }

    func session(_ session: MoQSession, didReceive request: IncomingSubscribe) {
        _ = request.accept()
    }

    func session(_ session: MoQSession, didClose closure: MoQSessionClosure) {
        self.publication = nil
        self.events.fail(CommandFailure("the publisher's connection was lost: \(closure)"))
    }
}
