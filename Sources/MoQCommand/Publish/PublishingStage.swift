// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire
internal import PacketLoop

/// Everything of `moq pub` and `moq clock` that lives on the loop: the track, its source, and the sessions that want
/// it. (loop)
final class PublishingStage: EndpointStage {
    /// Where the objects come from.
    enum Source: Sendable {
        /// An input, cut as planned.
        case input(InputReader, PublicationPlan)
        /// The time, once per interval, until the duration is over.
        case clock(interval: Duration, duration: Duration?)
    }

    /// How long a publisher stays when the relay has everything. What a relay still has to pass on may be lost when its
    /// publisher leaves: some end a track at once then, whatever they hold of it.
    private static let relayGrace = Duration.milliseconds(500)

    private let loop: PacketLoop
    private let name: FullTrackName
    private let displayName: String
    private let source: Source
    private let outcome: Outcome<Void>
    private let track = LiveTrack()
    private var file: FilePump?
    private var clock: ClockPump?
    private var sessions: [ObjectIdentifier: (session: MoQSession, peer: PublishingPeer)] = [:]
    private var hasRelay = false
    private var isDelivered = false
    private var durationTimer: LoopTimer?
    private var progressTimer: LoopTimer?
    private var progress: ProgressDisplay?

    /// Prepares to publish. `outcome` learns how it ended.
    init(
        loop: PacketLoop,
        name: FullTrackName,
        displayName: String,
        source: Source,
        outcome: Outcome<Void>
    ) {
        self.loop = loop
        self.name = name
        self.displayName = displayName
        self.source = source
        self.outcome = outcome
        self.track.didDeliver = { [weak self] complete, incomplete in
            self?.delivered(complete: complete, incomplete: incomplete)
        }
    }

    /// Starts the source. A file waits for its first subscriber, a clock does not.
    func start() {
        switch self.source {
        case .input(let reader, let plan):
            let pump = FilePump(loop: self.loop, track: self.track, reader: reader, plan: plan) { [weak self] failure in
                self?.outcome.fail(failure)
            }
            self.file = pump
            self.progress = ProgressDisplay(total: reader.size)
            pump.start()
            self.showProgress()
        case .clock(let interval, let duration):
            let clock = ClockPump(loop: self.loop, track: self.track, interval: interval)
            self.clock = clock
            clock.start()
            if let duration {
                self.durationTimer = self.loop.schedule(after: duration) { [weak self] in
                    self?.clock?.stop()
                    self?.track.end()
                }
            }
        }
    }

    /// The handler of a session. `relay` is what messages call the peer when this side announces to it; nil when it is
    /// a subscriber of ours.
    func makePeer(announcingTo relay: String?) -> PublishingPeer {
        self.hasRelay = relay != nil
        let peer = PublishingPeer(track: self.track, name: self.name, announces: relay != nil) { [weak self] event in
            self?.handle(event, relay: relay)
        }
        return peer
    }

    /// Keeps a session until it closes, so that it can be flushed and closed in order.
    func add(_ session: MoQSession, peer: PublishingPeer) {
        self.sessions[ObjectIdentifier(session)] = (session, peer)
    }

    /// Ends everything in order; `completion` is called on the loop when the sessions are closed.
    ///
    /// Whoever still listens is told that the track ended early, unless it is a clock, which may end at any time.
    func close(completion: @escaping () -> Void) {
        self.durationTimer?.cancel()
        self.progressTimer?.cancel()
        self.progress?.end()
        self.file?.stop()
        self.clock?.stop()
        self.track.didDeliver = { _, _ in }
        if case .clock = self.source {
            self.track.end()
        } else {
            self.track.abort(reason: "the publisher was stopped")
        }
        let sessions = self.sessions.values.map { $0 }
        for entry in sessions {
            entry.peer.withdraw()
        }
        SessionFlush.wait(for: sessions.map(\.session), on: self.loop) { [weak self] in
            for entry in sessions {
                entry.session.close(.noError, reason: "")
            }
            self?.sessions = [:]
            completion()
        }
    }

    private func delivered(complete: Int, incomplete: Int) {
        if incomplete > 0 {
            self.outcome.fail(CommandFailure("a subscriber left before everything was delivered"))
        } else if self.hasRelay {
            self.isDelivered = true
            let outcome = self.outcome
            self.loop.schedule(after: Self.relayGrace) { outcome.succeed(()) }
        } else {
            self.outcome.succeed(())
        }
    }

    private func handle(_ event: PublishingPeer.Event, relay: String?) {
        for (key, entry) in self.sessions where !entry.session.isOpen {
            self.sessions[key] = nil
        }
        guard let relay else { return }
        switch event {
        case .goingAway where self.isDelivered, .closed where self.isDelivered:
            self.outcome.succeed(())
        case .announced:
            break
        case .refused(let reason):
            let because = reason.isEmpty ? "" : ": \(reason)"
            self.outcome.fail(
                CommandFailure("relay \(relay) does not take the track '\(self.displayName)'\(because)")
            )
        case .goingAway:
            // What is under way may still be delivered; when nothing is, waiting for subscribers is pointless.
            if !self.track.hasReaders {
                self.outcome.fail(CommandFailure("relay \(relay) is going away"))
            }
        case .closed(let closure):
            self.outcome.fail(CommandFailure("connection to \(relay) lost: \(closure)"))
        }
    }

    private func showProgress() {
        guard StandardStreams.errorIsTerminal, let file = self.file else { return }
        let sent = file.sentByteCount
        self.progress?.show(bytes: sent - min(sent, UInt64(self.track.queuedByteCount)))
        self.progressTimer = self.loop.schedule(after: ProgressDisplay.interval) { [weak self] in
            self?.showProgress()
        }
    }
}
