// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire
internal import PacketLoop
internal import WebTransport

/// One short visit to a relay: subscribes to some tracks, one after the other, and takes no objects. (loop)
final class ChurnPeer: LoadSessionHandler, TrackConsumer {
    /// How long an answer may take.
    private static let patience = Duration.seconds(10)

    private var tracks: ArraySlice<FullTrackName>
    private let isPublished: Bool
    private let figures: ChurnFigures
    private let outcome: Outcome<Void>
    private let began = BenchClock.now
    private var retries = LoadRetries()
    private var watchdog: LoopTimer?

    /// Prepares to subscribe as soon as the session is set up. `outcome` learns when that is over. Unless the tracks are known
    /// to be published, it is an answer too that one does not exist.
    init(tracks: [FullTrackName], isPublished: Bool, figures: ChurnFigures, outcome: Outcome<Void>) {
        self.tracks = tracks[...]
        self.isPublished = isPublished
        self.figures = figures
        self.outcome = outcome
    }

    func sessionDidSetUp(_ session: MoQSession) {
        self.figures.setUp.record(BenchClock.now - self.began)
        self.subscribe(in: session)
    }

    /// Subscribes to the next track.
    private func subscribe(in session: MoQSession) {
        guard let track = self.tracks.first else {
            self.outcome.succeed(())
            return
        }
        let asked = BenchClock.now
        self.watchdog = session.loop.schedule(after: Self.patience) { [weak self] in
            self?.outcome.fail(
                CommandFailure("SUBSCRIBE to \(track) was not answered within \(Self.patience.components.seconds) s")
            )
        }
        var subscription: Subscription?
        subscription = session.subscribe(SubscribeRequest(track: track), consumer: self) {
            [weak self, weak session] result in
            guard let self, let session else { return }
            self.watchdog?.cancel()
            let took = BenchClock.now - asked
            switch result {
            case .success:
                subscription?.cancel()
                self.answered(in: session, after: took)
            case .failure(let error) where error.requestError == .doesNotExist && !self.isPublished:
                self.answered(in: session, after: took)
            case .failure(let error):
                let isRetried = self.retries.retry(after: error, in: session) { [weak self, weak session] in
                    if let session { self?.subscribe(in: session) }
                }
                if !isRetried {
                    self.outcome.fail(CommandFailure("\(error)"))
                }
            }
            subscription = nil
        }
    }

    private func answered(in session: MoQSession, after time: UInt64) {
        self.figures.subscribed.record(time)
        self.tracks.removeFirst()
        self.subscribe(in: session)
    }

    func session(_ session: MoQSession, didReceiveGoaway uri: String?, timeout: Duration?) {
        self.outcome.fail(CommandFailure("the relay is going away"))
    }

    func session(_ session: MoQSession, didClose closure: MoQSessionClosure) {
        self.watchdog?.cancel()
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
