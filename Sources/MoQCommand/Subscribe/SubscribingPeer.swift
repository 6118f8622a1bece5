// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire
internal import PacketLoop

/// The subscriber's side of one session: asks for one track, again and again while it does not exist yet if that is
/// wanted, and reports how it ended. (loop)
final class SubscribingPeer: MoQSessionHandler {
    /// How it ended.
    enum Ending {
        /// The track ended, or the time that was asked for is over.
        case complete
        /// It failed.
        case failed(CommandFailure)
    }

    /// How long to wait before the track is asked for again.
    private static let retryDelay = Duration.milliseconds(200)

    private let loop: PacketLoop
    private let name: FullTrackName
    private let displayName: String
    private let filter: SubscriptionFilter?
    private let wait: Duration
    private let duration: Duration?
    private let receiver: TrackReceiver
    private let finished: (Ending) -> Void

    private weak var session: MoQSession?
    private var subscription: Subscription?
    private var deadline: LoopInstant?
    private var retryTimer: LoopTimer?
    private var durationTimer: LoopTimer?
    private var isOver = false

    /// Prepares to subscribe as soon as the session is set up.
    /// - Parameters:
    ///   - wait: how long a track that does not exist is waited for.
    ///   - duration: after how long the subscription is ended; nil for at the end of the track.
    ///   - finished: called once.
    init(
        loop: PacketLoop,
        name: FullTrackName,
        displayName: String,
        filter: SubscriptionFilter?,
        wait: Duration,
        duration: Duration?,
        receiver: TrackReceiver,
        finished: @escaping (Ending) -> Void
    ) {
        self.loop = loop
        self.name = name
        self.displayName = displayName
        self.filter = filter
        self.wait = wait
        self.duration = duration
        self.receiver = receiver
        self.finished = finished
    }

    /// Stops the flow: what is received stays in the transport, and the windows close.
    func pause() {
        self.subscription?.pause()
    }

    /// Lets it flow again.
    func resume() {
        self.subscription?.resume()
    }

    /// The track ended.
    func trackEnded(_ end: TrackEnd) {
        self.subscription = nil
        guard !self.isOver else { return }
        switch (end.cause, end.status) {
        case (.publishDone, .trackEnded), (.publishDone, .subscriptionEnded):
            self.finish(.complete)
        case (.sessionClosed, _):
            // The session itself says why, right afterwards.
            break
        default:
            let reason = end.reason.isEmpty ? "\(end.status)" : "\(end.status), \(end.reason)"
            self.finish(.failed(CommandFailure("track '\(self.displayName)' ended early: \(reason)")))
        }
    }

    func sessionDidSetUp(_ session: MoQSession) {
        self.session = session
        self.deadline = self.loop.now.advanced(by: self.wait)
        self.subscribe()
    }

    func session(_ session: MoQSession, didReceive request: IncomingSubscribe) {
        request.reject(.doesNotExist, reason: "this side only subscribes")
    }

    func session(_ session: MoQSession, didReceive request: IncomingPublish) {
        request.reject(.uninterested, reason: "this side subscribes by name")
    }

    func session(_ session: MoQSession, didReceive request: IncomingPublishNamespace) {
        request.reject(.uninterested, reason: "this side subscribes by name")
    }

    func session(_ session: MoQSession, didReceive request: IncomingSubscribeNamespace) {
        request.reject(.notSupported, reason: "this side only subscribes")
    }

    func session(_ session: MoQSession, didReceiveGoaway uri: String?, timeout: Duration?) {
        // The track goes on until the peer ends it; then its end says so.
    }

    func session(_ session: MoQSession, didClose closure: MoQSessionClosure) {
        self.finish(.failed(CommandFailure("connection lost: \(closure)")))
    }

    private func subscribe() {
        guard let session = self.session, !self.isOver else { return }
        let request = SubscribeRequest(
            track: self.name,
            parameters: SubscriptionParameters(filter: self.filter, rendezvousTimeout: self.rendezvousTimeout(session))
        )
        self.subscription = session.subscribe(request, consumer: self.receiver) { [weak self] result in
            self?.answered(result)
        }
    }

    /// For how long the relay may hold the request until the track appears, in milliseconds, where the draft can say so.
    private func rendezvousTimeout(_ session: MoQSession) -> UInt64? {
        guard let deadline = self.deadline,
            session.profile.parameters.contains(where: { $0.name == .rendezvousTimeout })
        else {
            return nil
        }
        let left = Quantity.seconds(self.loop.now.duration(to: deadline)) * 1_000
        return left >= 1 ? UInt64(left) : nil
    }

    private func answered(_ result: Result<SubscribeOk, MoQError>) {
        guard !self.isOver else { return }
        switch result {
        case .success(let answer):
            self.receiver.subscribed(answer)
            if let duration = self.duration {
                self.durationTimer = self.loop.schedule(after: duration) { [weak self] in
                    self?.durationEnded()
                }
            }
        case .failure(let error):
            self.subscription = nil
            guard error.code != .sessionClosed else {
                // The session itself says why, right afterwards.
                return
            }
            // Who was asked to wait says that the time is over; then it is, or the relay does not wait so long.
            let exists = error.requestError != .doesNotExist && !(error.requestError == .timeout && self.wait > .zero)
            if !exists, let deadline = self.deadline, self.loop.now < deadline {
                self.retryTimer = self.loop.schedule(after: Self.retryDelay) { [weak self] in
                    self?.subscribe()
                }
            } else if exists {
                self.finish(.failed(CommandFailure("track '\(self.displayName)' was refused: \(error)")))
            } else {
                self.finish(.failed(CommandFailure("track '\(self.displayName)' does not exist at the relay")))
            }
        }
    }

    private func durationEnded() {
        let subscription = self.subscription
        self.subscription = nil
        self.receiver.stop()
        self.finish(.complete)
        subscription?.cancel()
    }

    private func finish(_ ending: Ending) {
        guard !self.isOver else { return }
        self.isOver = true
        self.retryTimer?.cancel()
        self.durationTimer?.cancel()
        self.finished(ending)
    }
}
