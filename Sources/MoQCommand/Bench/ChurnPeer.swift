// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire
internal import WebTransport

/// One short visit to a relay: subscribes to some tracks, one after the other, and takes no objects. (loop)
final class ChurnPeer: LoadSessionHandler, TrackConsumer {
    private var tracks: ArraySlice<FullTrackName>
    private let figures: ChurnFigures
    private let outcome: Outcome<Void>
    private let began = BenchClock.now

    /// Prepares to subscribe as soon as the session is set up. `outcome` learns when that is over.
    init(tracks: [FullTrackName], figures: ChurnFigures, outcome: Outcome<Void>) {
        self.tracks = tracks[...]
        self.figures = figures
        self.outcome = outcome
    }

    func sessionDidSetUp(_ session: MoQSession) {
        self.figures.setUp.record(BenchClock.now - self.began)
        self.subscribe(in: session)
    }

    /// Subscribes to the next track. That a track does not exist is an answer too.
    private func subscribe(in session: MoQSession) {
        guard let track = self.tracks.popFirst() else {
            self.outcome.succeed(())
            return
        }
        let asked = BenchClock.now
        var subscription: Subscription?
        subscription = session.subscribe(SubscribeRequest(track: track), consumer: self) {
            [weak self, weak session] result in
            guard let self, let session else { return }
            self.figures.subscribed.record(BenchClock.now - asked)
            switch result {
            case .success:
                subscription?.cancel()
                self.subscribe(in: session)
            case .failure(let error) where error.requestError == .doesNotExist:
                self.subscribe(in: session)
            case .failure(let error):
                self.outcome.fail(CommandFailure("\(error)"))
            }
            subscription = nil
        }
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
        // The visit goes on as soon as the subscription was answered.
    }
}

/// How long the parts of visits took. (loop)
final class ChurnFigures {
    /// From the moment at which the connection stood, or was about to, until both sides had sent SETUP.
    var setUp = LatencyHistogram()
    /// From SUBSCRIBE to its answer.
    var subscribed = LatencyHistogram()
}
