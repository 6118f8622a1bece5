// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import WebTransport

/// One client of the relay on a stage, with both ends of its connection. It publishes what it is asked for, and takes no
/// notice of what it gets. Loop only.
final class StageClient: MoQSessionHandler {
    /// The client's end.
    let near: StageTransport
    /// The relay's end.
    let far: StageTransport
    /// Set when somebody subscribed to the track of this client.
    private(set) var publisher: TrackPublisher?
    private var session: MoQSession?
    private var requests: [AnyObject] = []

    init(of relay: MoQRelay, profile: DraftProfile) {
        self.near = StageTransport(role: .client, loop: relay.loop)
        self.far = StageTransport(role: .server, loop: relay.loop)
        let session = MoQSession(transport: self.near, loop: relay.loop, profile: profile, handler: self)
        self.session = session
        relay.accept(self.far, profile: profile)
        session.start()
    }

    func announce(_ namespace: TrackNamespace) {
        if let publication = self.session?.publishNamespace(namespace, response: { _ in }) {
            self.requests.append(publication)
        }
    }

    func subscribe(to track: FullTrackName) {
        let request = SubscribeRequest(track: track)
        if let subscription = self.session?.subscribe(request, consumer: IgnoringConsumer(), response: { _ in }) {
            self.requests.append(subscription)
        }
    }

    func close() {
        self.session?.close(.noError, reason: "")
        self.session = nil
        self.publisher = nil
        self.requests = []
    }

    /// Carries what waits at one end to the other, both ways. Returns whether there was anything.
    func exchange() -> Bool {
        let goesUp = self.near.take { id, bytes, isFinal in self.far.arrive(bytes, isFinal: isFinal, on: id) }
        let goesDown = self.far.take { id, bytes, isFinal in self.near.arrive(bytes, isFinal: isFinal, on: id) }
        return goesUp || goesDown
    }

    // MARK: MoQSessionHandler

    func sessionDidSetUp(_ session: MoQSession) {}

    func session(_ session: MoQSession, didReceive request: IncomingSubscribe) {
        self.publisher = request.accept()
    }

    func session(_ session: MoQSession, didReceive request: IncomingPublish) {
        request.reject(.uninterested, reason: "")
    }

    func session(_ session: MoQSession, didReceive request: IncomingPublishNamespace) {
        request.reject(.uninterested, reason: "")
    }

    func session(_ session: MoQSession, didReceive request: IncomingSubscribeNamespace) {
        request.reject(.notSupported, reason: "")
    }

    func session(_ session: MoQSession, didReceiveGoaway uri: String?, timeout: Duration?) {}

    func session(_ session: MoQSession, didClose closure: MoQSessionClosure) {}
}

/// Takes everything, and does nothing with it.
private final class IgnoringConsumer: TrackConsumer, SubgroupConsumer {
    func beginSubgroup(_ subgroup: SubgroupDescription) -> (any SubgroupConsumer)? { self }
    func receive(_ datagram: ObjectDatagram, payload: Bytes) {}
    func trackEnded(_ end: TrackEnd) {}
    func beginObject(_ object: ObjectHeader) {}
    func receive(payload: Bytes) {}
    func finish() {}
    func reset(_ code: StreamResetCode) {}
}
