// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire
internal import PacketLoop
internal import WebTransport

/// Everything of `moq fetch` that lives on the loop: the fetch, the subscription that it joins if it does, and the way
/// from both to the writer. (loop)
///
/// ```
///   standalone:  fetching ────────────────────────────────────────────────────────────► over
///   joining:     subscribing ── accepted ──► fetching ── complete ──► following ── end ──► over
///                                            (live objects are held)
/// ```
///
/// The publisher ends a joining fetch right before the subscription's first object, so that what is fetched and what is live
/// make one whole when one is written behind the other.
final class FetchingStage: OutputStage {
    /// What was asked for.
    struct Wish: Sendable {
        /// The track.
        var name: FullTrackName
        /// What messages call it.
        var displayName: String
        /// Where to begin, unless a subscription is joined.
        var start: Location
        /// Where to end, likewise.
        var end: FetchEnd
        /// Where to begin before a subscription; nil for a fetch that stands alone.
        var joining: JoiningStart?
        /// Whether the live track is wanted as well.
        var follows: Bool
        /// After how long the live track is left; nil for at its end.
        var duration: Duration?
        /// Priority and order.
        var parameters: FetchParameters
        /// How many bytes of the live track may be held.
        var reorderLimit: Int
    }

    private let loop: PacketLoop
    private let wish: Wish
    private let writer: OutputWriter
    private let outcome: Outcome<FetchReport>
    private var session: MoQSession?
    private var past: FetchReception?
    private var fetch: FetchReceiver?
    private var subscription: Subscription?
    private var live: TrackReceiver?
    private var isPastComplete = false
    private var hasLiveEnded = false
    private var held: [Bytes] = []
    private var heldByteCount = 0
    private var isPaused = false
    private var durationTimer: LoopTimer?

    /// Prepares to fetch. `outcome` learns what was received, or why nothing was.
    init(loop: PacketLoop, wish: Wish, writer: OutputWriter, outcome: Outcome<FetchReport>) {
        self.loop = loop
        self.wish = wish
        self.writer = writer
        self.outcome = outcome
    }

    /// Makes the handler of the session. Called once.
    func attach() -> ClientEndpoint.Attachment {
        let peer = AskingPeer { [weak self] session in
            self?.begin(session)
        } ended: { [outcome] closure in
            outcome.fail(CommandFailure("connection lost: \(closure)"))
        }
        return ClientEndpoint.Attachment(handler: peer) { _ in }
    }

    /// What has been received so far.
    var report: FetchReport {
        var report = self.past?.report ?? FetchReport()
        report.live = self.live?.report
        return report
    }

    /// The writer has written most of what waited.
    func writerDrained() {
        guard self.isPaused else { return }
        self.isPaused = false
        self.fetch?.resume()
        self.subscription?.resume()
    }

    /// Closes the session; `completion` is called on the loop when that can be done without losing anything.
    func close(completion: @escaping () -> Void) {
        self.durationTimer?.cancel()
        guard let session = self.session else {
            completion()
            return
        }
        SessionFlush.wait(for: [session], on: self.loop, timeout: .milliseconds(500)) {
            session.close(.noError, reason: "")
            completion()
        }
    }

    // MARK: Asking

    private func begin(_ session: MoQSession) {
        self.session = session
        let past = FetchReception(
            loop: self.loop,
            deliver: { [weak self] batch in self?.write(batch) },
            ended: { [weak self] outcome in self?.pastEnded(outcome) }
        )
        self.past = past
        guard self.wish.joining == nil else {
            self.subscribe(session)
            return
        }
        let request = FetchRequest(
            track: self.wish.name,
            from: self.wish.start,
            through: self.wish.end,
            parameters: self.wish.parameters
        )
        self.fetch = session.fetch(request, consumer: past) { [weak self] result in
            self?.fetchAnswered(result)
        }
    }

    private func subscribe(_ session: MoQSession) {
        let outcome = self.outcome
        let limit = self.wish.reorderLimit
        let live = TrackReceiver(
            loop: self.loop,
            holding: limit,
            measuresLatency: false,
            deliver: { [weak self] batch in self?.writeLive(batch) },
            overflowed: { outcome.fail(Self.overflow(limit)) },
            ended: { [weak self] end in self?.liveEnded(end) }
        )
        let consumer: any TrackConsumer
        if self.wish.follows {
            self.live = live
            consumer = live
        } else {
            consumer = UnwantedTrack()
        }
        // Up to draft 16 this is the only filter that may be joined.
        let request = SubscribeRequest(
            track: self.wish.name,
            parameters: SubscriptionParameters(forward: true, filter: .nextObject)
        )
        self.subscription = session.subscribe(request, consumer: consumer) { [weak self] result in
            self?.subscribeAnswered(result)
        }
    }

    private func subscribeAnswered(_ result: Result<SubscribeOk, MoQError>) {
        switch result {
        case .success(let answer):
            self.live?.subscribed(answer)
            if let duration = self.wish.duration {
                self.durationTimer = self.loop.schedule(after: duration) { [weak self] in
                    self?.durationEnded()
                }
            }
            guard answer.largestObject != nil else {
                // Nothing came before the subscription.
                self.pastIsComplete()
                return
            }
            self.join()
        case .failure(let error):
            self.subscription = nil
            self.fail(error, of: .subscribe, "SUBSCRIBE")
        }
    }

    private func join() {
        guard let start = self.wish.joining, let past = self.past, let subscription = self.subscription else { return }
        self.fetch = subscription.fetch(from: start, parameters: self.wish.parameters, consumer: past) {
            [weak self] result in
            self?.fetchAnswered(result)
        }
    }

    private func fetchAnswered(_ result: Result<FetchOk, MoQError>) {
        switch result {
        case .success(let answer):
            self.past?.accepted(answer)
            if self.isPaused {
                self.fetch?.pause()
            }
        case .failure(let error):
            self.fetch = nil
            self.fail(error, of: .fetch, "FETCH")
        }
    }

    private func fail(_ error: MoQError, of kind: RequestKind, _ name: String) {
        // What ends with the session is told by the session.
        guard error.code != .sessionClosed, let session = self.session else { return }
        let failure = RequestFailure(error, of: kind, in: session.profile)
        self.outcome.fail(CommandFailure("track '\(self.wish.displayName)': \(name) failed: \(failure.text)"))
    }

    // MARK: Ending

    private func pastEnded(_ outcome: FetchOutcome) {
        self.fetch = nil
        let reason: String
        switch outcome {
        case .complete:
            self.pastIsComplete()
            return
        case .sessionClosed:
            return
        case .reset(let code): reason = "the relay gave it up (\(code))"
        case .malformedTrack(let text): reason = "the track is malformed: \(text)"
        case .cancelled: reason = "it was cancelled"
        }
        self.outcome.fail(CommandFailure("track '\(self.wish.displayName)': FETCH ended early: \(reason)"))
    }

    private func pastIsComplete() {
        self.isPastComplete = true
        guard self.wish.follows else {
            let subscription = self.subscription
            self.subscription = nil
            self.outcome.succeed(self.report)
            subscription?.cancel()
            return
        }
        let held = self.held
        self.held = []
        self.heldByteCount = 0
        if !held.isEmpty {
            self.write(held)
        }
        self.finishIfOver()
    }

    private func liveEnded(_ end: TrackEnd) {
        self.subscription = nil
        switch (end.cause, end.status) {
        case (.publishDone, .trackEnded), (.publishDone, .subscriptionEnded):
            self.hasLiveEnded = true
            self.finishIfOver()
        case (.sessionClosed, _), (.cancelled, _):
            break
        default:
            let reason = end.reason.isEmpty ? "\(end.status)" : "\(end.status), \(end.reason)"
            self.outcome.fail(CommandFailure("track '\(self.wish.displayName)' ended early: \(reason)"))
        }
    }

    private func durationEnded() {
        let subscription = self.subscription
        self.subscription = nil
        self.live?.stop()
        self.hasLiveEnded = true
        self.finishIfOver()
        subscription?.cancel()
    }

    private func finishIfOver() {
        guard self.isPastComplete, self.hasLiveEnded else { return }
        self.outcome.succeed(self.report)
    }

    // MARK: Writing

    private func writeLive(_ batch: [Bytes]) {
        guard !self.isPastComplete else {
            self.write(batch)
            return
        }
        self.held += batch
        self.heldByteCount += batch.reduce(0) { $0 + $1.count }
        if self.heldByteCount > self.wish.reorderLimit {
            self.held = []
            self.outcome.fail(Self.overflow(self.wish.reorderLimit))
        }
    }

    private func write(_ batch: [Bytes]) {
        if self.writer.submit(batch) > OutputWriter.highWatermark, !self.isPaused {
            self.isPaused = true
            self.fetch?.pause()
            self.subscription?.pause()
        }
    }

    private static func overflow(_ limit: Int) -> CommandFailure {
        CommandFailure("more than \(limit >> 20) MiB wait for what comes before, see --reorder-limit")
    }
}

/// Wants no object of a track. (loop)
private final class UnwantedTrack: TrackConsumer {
    func beginSubgroup(_ subgroup: SubgroupDescription) -> (any SubgroupConsumer)? { nil }
    func receive(_ datagram: ObjectDatagram, payload: Bytes) {}
    func trackEnded(_ end: TrackEnd) {}
}
