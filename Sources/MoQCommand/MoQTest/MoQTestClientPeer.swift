// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire
internal import PacketLoop

/// The subscriber's side of a session of the moq-test protocol: asks for one track after the other and verifies what
/// arrives. (loop)
final class MoQTestClientPeer: MoQSessionHandler {
    /// How long to wait before a track that is not there is asked for again.
    private static let retryDelay = Duration.milliseconds(200)
    /// How long nothing may arrive, beyond the time between two objects.
    private static let patience = Duration.seconds(10)
    /// With so many differences a track is given up.
    private static let hopeless = 10_000

    /// One track while it is asked for and arrives.
    private final class Attempt {
        let job: MoQTestJob
        let receiver: MoQTestReceiver
        let began: LoopInstant
        var subscription: Subscription?
        var fetch: FetchReceiver?
        var tracks: NamespaceSubscription?
        var isCut = false
        var isOver = false
        var activity: UInt64 = 0

        init(_ job: MoQTestJob, _ receiver: MoQTestReceiver, _ began: LoopInstant) {
            self.job = job
            self.receiver = receiver
            self.began = began
        }
    }

    private let loop: PacketLoop
    private let wait: Duration
    private let report: (MoQTestReport) -> Void
    private let finished: (CommandFailure?) -> Void
    private var jobs: [MoQTestJob]
    private weak var session: MoQSession?
    private var attempt: Attempt?
    private var deadline: LoopInstant?
    private var watchTimer: LoopTimer?
    private var durationTimer: LoopTimer?
    private var isOver = false

    /// Asks for the tracks as soon as the session is set up.
    /// - Parameters:
    ///   - wait: how long tracks that are not there are waited for.
    ///   - report: called for each track.
    ///   - finished: called once; with a failure when not all tracks could be asked for.
    init(
        loop: PacketLoop,
        jobs: [MoQTestJob],
        wait: Duration,
        report: @escaping (MoQTestReport) -> Void,
        finished: @escaping (CommandFailure?) -> Void
    ) {
        self.loop = loop
        self.jobs = jobs.reversed()
        self.wait = wait
        self.report = report
        self.finished = finished
    }

    // MARK: Asking

    private func next() {
        guard !self.isOver, let session = self.session else { return }
        guard let job = self.jobs.popLast() else {
            self.finish(nil)
            return
        }
        self.begin(job, in: session)
    }

    private func begin(_ job: MoQTestJob, in session: MoQSession) {
        var verifier = MoQTestVerifier(job.tuple, delivery: .subscription)
        if case .fetch(let start, let end, let order) = job.method {
            verifier = MoQTestVerifier(
                job.tuple,
                delivery: .fetch(order),
                fetchObjectsAreComplete: session.profile.data.fetchObjectsAreComplete,
                from: start,
                through: end.location
            )
        }
        let receiver = MoQTestReceiver(verifier)
        let attempt = Attempt(job, receiver, self.loop.now)
        self.attempt = attempt
        receiver.ended = { [weak self, weak attempt] end in
            guard let self, let attempt else { return }
            self.ended(attempt, end)
        }
        self.watch(attempt)
        switch job.method {
        case .subscribe:
            attempt.subscription = session.subscribe(SubscribeRequest(track: job.fullName), consumer: receiver) {
                [weak self, weak attempt] result in
                guard let self, let attempt else { return }
                self.answered(attempt, result.map { ($0.largestObject, $0.properties) })
            }
        case .publish:
            attempt.tracks = session.subscribeTracks(
                job.tuple.namespace,
                events: { _ in },
                response: { [weak self, weak attempt] result in
                    guard let self, let attempt, case .failure(let error) = result else { return }
                    self.refused(attempt, error)
                }
            )
        case .fetch(let start, let end, let order):
            let request = FetchRequest(
                track: job.fullName,
                from: start,
                through: end,
                parameters: FetchParameters(groupOrder: order)
            )
            attempt.fetch = session.fetch(request, consumer: receiver) { [weak self, weak attempt] result in
                guard let self, let attempt else { return }
                if case .failure(let error) = result {
                    self.refused(attempt, error)
                }
            }
        }
    }

    private func answered(_ attempt: Attempt, _ result: Result<(Location?, PropertyList), MoQError>) {
        guard !attempt.isOver else { return }
        switch result {
        case .success((let largest, let properties)):
            if let largest {
                attempt.receiver.verifier.joined(after: largest)
            }
            let (expected, found) = (
                attempt.job.tuple.deliveryTimeout, properties.integer(PropertyType.objectDeliveryTimeout)
            )
            if expected != found {
                let texts = [found, expected].map { $0.map { "\($0) ms" } ?? "none" }
                attempt.receiver.verifier.note("the delivery timeout of the track is \(texts[0]), not \(texts[1])")
            }
            if let duration = attempt.job.duration {
                self.durationTimer = self.loop.schedule(after: duration) { [weak self, weak attempt] in
                    guard let self, let attempt else { return }
                    self.giveUp(attempt, isCut: true)
                }
            }
        case .failure(let error):
            self.refused(attempt, error)
        }
    }

    private func refused(_ attempt: Attempt, _ error: MoQError) {
        guard !attempt.isOver, error.code != .sessionClosed else {
            // The session itself says why, right afterwards.
            return
        }
        if error.requestError == .doesNotExist, let deadline = self.deadline, self.loop.now < deadline {
            attempt.isOver = true
            self.stopTimers()
            let job = attempt.job
            self.watchTimer = self.loop.schedule(after: Self.retryDelay) { [weak self] in
                guard let self, let session = self.session, !self.isOver else { return }
                self.begin(job, in: session)
            }
            return
        }
        attempt.receiver.verifier.note("refused: \(error)")
        self.conclude(attempt)
    }

    // MARK: Ending

    private func ended(_ attempt: Attempt, _ end: MoQTestReceiver.End) {
        guard !attempt.isOver else { return }
        let receiver = attempt.receiver
        switch end {
        case .track(let end):
            if end.cause != .publishDone || end.status != .trackEnded {
                receiver.verifier.note("the track ended with \(end.status) (\(end.cause)): \(end.reason)")
            } else if let count = end.streamCount, count != receiver.streamCount {
                receiver.verifier.note("\(receiver.streamCount) streams came, the publisher says \(count)")
            }
        case .fetch(.complete):
            break
        case .fetch(let outcome):
            receiver.verifier.note("the fetch ended: \(outcome)")
        }
        self.conclude(attempt)
    }

    /// Looks regularly whether anything still arrives.
    private func watch(_ attempt: Attempt) {
        let pause = Duration.milliseconds(Int64(attempt.job.tuple.frequency))
        self.watchTimer = self.loop.schedule(after: Self.patience + pause) { [weak self, weak attempt] in
            guard let self, let attempt, !attempt.isOver else { return }
            let activity = attempt.receiver.activity
            if activity == attempt.activity {
                attempt.receiver.verifier.note("nothing came for \(Self.patience + pause)")
                self.giveUp(attempt, isCut: attempt.job.tuple.isEndless)
            } else if attempt.receiver.verifier.mismatchCount > Self.hopeless {
                attempt.receiver.verifier.note("given up")
                self.giveUp(attempt, isCut: true)
            } else {
                attempt.activity = activity
                self.watch(attempt)
            }
        }
    }

    /// Ends a track from this side. `isCut` says that it was still going on.
    private func giveUp(_ attempt: Attempt, isCut: Bool) {
        guard !attempt.isOver else { return }
        attempt.isCut = isCut
        self.conclude(attempt)
        attempt.subscription?.cancel()
        attempt.fetch?.cancel()
    }

    private func conclude(_ attempt: Attempt) {
        guard !attempt.isOver else { return }
        attempt.isOver = true
        self.stopTimers()
        attempt.tracks?.cancel()
        self.attempt = nil
        let receiver = attempt.receiver
        receiver.verifier.finish(isCut: attempt.isCut)
        let verifier = receiver.verifier
        self.report(
            MoQTestReport(
                job: attempt.job,
                draft: self.session?.profile.version.number ?? 0,
                objects: verifier.objectCount,
                markers: verifier.markerCount,
                groups: UInt64(verifier.groupCount),
                bytes: receiver.byteCount,
                streams: receiver.streamCount,
                datagrams: receiver.datagramCount,
                milliseconds: attempt.began.duration(to: self.loop.now).wholeMilliseconds,
                mismatches: verifier.mismatches,
                mismatchCount: verifier.mismatchCount
            )
        )
        // Not from inside of what ended the last one.
        _ = self.loop.schedule(after: .zero) { [weak self] in
            self?.next()
        }
    }

    private func stopTimers() {
        self.watchTimer?.cancel()
        self.durationTimer?.cancel()
    }

    private func finish(_ failure: CommandFailure?) {
        guard !self.isOver else { return }
        self.isOver = true
        self.stopTimers()
        self.finished(failure)
    }

    // MARK: The session

    func sessionDidSetUp(_ session: MoQSession) {
        self.session = session
        self.deadline = self.loop.now.advanced(by: self.wait)
        self.next()
    }

    func session(_ session: MoQSession, didReceive request: IncomingPublish) {
        guard let attempt = self.attempt, attempt.job.method == .publish, attempt.subscription == nil,
            request.track.namespace == attempt.job.tuple.namespace
        else {
            request.reject(.uninterested, reason: "this track was not asked for")
            return
        }
        let offer = request.request
        attempt.subscription = request.accept(consumer: attempt.receiver)
        self.answered(attempt, .success((offer.largestObject, offer.properties)))
    }

    func session(_ session: MoQSession, didReceive request: IncomingSubscribe) {
        request.reject(.doesNotExist, reason: "this side only subscribes")
    }

    func session(_ session: MoQSession, didReceive request: IncomingPublishNamespace) {
        request.reject(.uninterested, reason: "this side subscribes by name")
    }

    func session(_ session: MoQSession, didReceive request: IncomingSubscribeNamespace) {
        request.reject(.notSupported, reason: "this side only subscribes")
    }

    func session(_ session: MoQSession, didReceiveGoaway uri: String?, timeout: Duration?) {
        // The track goes on until the peer ends it; the next one is refused.
    }

    func session(_ session: MoQSession, didClose closure: MoQSessionClosure) {
        self.attempt?.isOver = true
        self.finish(CommandFailure("connection lost: \(closure)"))
    }
}

extension Duration {
    /// How many whole milliseconds there are, 0 for negative lengths.
    fileprivate var wholeMilliseconds: UInt64 {
        UInt64(clamping: self / .milliseconds(1) < 0 ? 0 : Int64(self / .milliseconds(1)))
    }
}
