// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

// The README shows this file from the imports on; ReadmeExampleTests runs it and compares the two.
import MoQ
import MoQWire
import WebTransport

/// Subscribes to a track and counts what it delivers. Lives on the loop of its session.
final class TrackCounter: MoQSessionHandler, TrackConsumer, SubgroupConsumer {
    private let track: FullTrackName
    private let done: @Sendable (_ bytes: Int, _ end: TrackEnd?) -> Void
    private var bytes = 0

    init(_ track: FullTrackName, done: @escaping @Sendable (_ bytes: Int, _ end: TrackEnd?) -> Void) {
        self.track = track
        self.done = done
    }

    // The session.
    func sessionDidSetUp(_ session: MoQSession) {
        session.subscribe(SubscribeRequest(track: self.track), consumer: self) { [done] answer in
            if case .failure = answer { done(0, nil) }
        }
    }
    func session(_ session: MoQSession, didReceive request: IncomingSubscribe) { request.reject(.doesNotExist) }
    func session(_ session: MoQSession, didReceive request: IncomingPublish) { request.reject(.uninterested) }
    func session(_ session: MoQSession, didReceive request: IncomingPublishNamespace) { request.accept() }
    func session(_ session: MoQSession, didReceive request: IncomingSubscribeNamespace) { request.accept() }
    func session(_ session: MoQSession, didReceiveGoaway uri: String?, timeout: Duration?) { session.close() }
    func session(_ session: MoQSession, didClose closure: MoQSessionClosure) {}

    // The track, and its groups, whose objects arrive in parts.
    func beginSubgroup(_ subgroup: SubgroupDescription) -> (any SubgroupConsumer)? { self }
    func receive(_ datagram: ObjectDatagram, payload: Bytes) { self.bytes += payload.count }
    func trackEnded(_ end: TrackEnd) { self.done(self.bytes, end) }
    func beginObject(_ object: ObjectHeader) {}
    func receive(payload: Bytes) { self.bytes += payload.count }
    func finish() {}
    func reset(_ code: StreamResetCode) {}
}
