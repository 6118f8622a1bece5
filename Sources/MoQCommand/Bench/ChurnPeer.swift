// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire
internal import WebTransport

/// One short visit to a relay: subscribes to a track, reports the answer, takes no objects. (loop)
final class ChurnPeer: MoQSessionHandler, TrackConsumer {
    private let name: FullTrackName
    private let outcome: Outcome<Void>

    /// Prepares to subscribe as soon as the session is set up.
    init(name: FullTrackName, outcome: Outcome<Void>) {
        self.name = name
        self.outcome = outcome
    }

    func sessionDidSetUp(_ session: MoQSession) {
        let outcome = self.outcome
        session.subscribe(SubscribeRequest(track: self.name), consumer: self) { result in
            switch result {
            case .success:
                outcome.succeed(())
            case .failure(let error) where error.requestError == .doesNotExist:
                outcome.succeed(())
            case .failure(let error):
                outcome.fail(CommandFailure("\(error)"))
            }
        }
    }

    func session(_ session: MoQSession, didReceive request: IncomingSubscribe) {
        request.reject(.doesNotExist)
    }

    func session(_ session: MoQSession, didReceive request: IncomingPublish) {
        request.reject(.uninterested)
    }

    func session(_ session: MoQSession, didReceive request: IncomingPublishNamespace) {
        request.reject(.uninterested)
    }

    func session(_ session: MoQSession, didReceive request: IncomingSubscribeNamespace) {
        request.reject(.notSupported)
    }

    func session(_ session: MoQSession, didReceiveGoaway uri: String?, timeout: Duration?) {
        self.outcome.fail(CommandFailure("the relay is going away"))
    }

    func session(_ session: MoQSession, didClose closure: MoQSessionClosure) {
        self.outcome.fail(CommandFailure("connection lost: \(closure)"))
    }

    func beginSubgroup(_ subgroup: SubgroupDescription) -> (any SubgroupConsumer)? {
        nil
    }

    func receive(_ datagram: ObjectDatagram, payload: Bytes) {
        // Nobody measures what arrives.
    }

    func trackEnded(_ end: TrackEnd) {
        // The visit is over as soon as the subscription was answered.
    }
}
