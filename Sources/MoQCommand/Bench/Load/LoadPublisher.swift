// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire
internal import PacketLoop
internal import WebTransport

/// The publishing side of a load: announces its namespace to a relay, or serves subscribers itself, and gives its tracks
/// to whoever asks. (loop)
final class LoadPublisher: LoadSessionHandler {
    /// What it has done.
    struct Figures: Sendable {
        /// How many objects were sent.
        var total: UInt64
        /// How many of them are measured.
        var measured: UInt64
        /// How many there should have been of those, by the end of the load; as many, when nothing was due at a time of its own.
        var due: UInt64
        /// Whether everything that was due has been sent.
        var isOver: Bool
        /// How much CPU the loop has used, in nanoseconds.
        var threadCPU: UInt64
    }

    private let loop: PacketLoop
    private let namespace: TrackNamespace
    /// The tracks by their numbers.
    private let tracks: [FullTrackName: Int]
    private let announces: Bool
    private let events: LoadEvents
    private let pump: LoadPump
    private var sessions: [MoQSession] = []
    private var publication: NamespacePublication?
    private var namespaceRequests: [IncomingSubscribeNamespace] = []
    private var isClosing = false

    /// With `announces` the namespace is announced: relays need that, subscribers do not.
    init(loop: PacketLoop, track: FullTrackName, plan: LoadPlan, announces: Bool, events: LoadEvents) {
        self.loop = loop
        self.namespace = track.namespace
        self.tracks = Dictionary(uniqueKeysWithValues: zip(plan.trackNames(track), 0...))
        self.announces = announces
        self.events = events
        self.pump = LoadPump(loop: loop, plan: plan)
    }

    /// Makes and starts a session.
    @discardableResult
    func join(
        _ transport: any WebTransportSession,
        profile: DraftProfile,
        configuration: MoQSessionConfiguration
    ) -> MoQSession {
        let session = MoQSession(
            transport: transport,
            loop: self.loop,
            profile: profile,
            configuration: configuration,
            handler: self
        )
        self.sessions.append(session)
        session.start()
        return session
    }

    /// Begins to send.
    func start(_ schedule: LoadSchedule) {
        self.pump.start(schedule)
    }

    /// Sends no more.
    func stop() {
        self.pump.stop()
    }

    /// What it has done so far.
    var figures: Figures {
        Figures(
            total: self.pump.sent.total,
            measured: self.pump.sent.measured,
            due: self.pump.due ?? self.pump.sent.measured,
            isOver: self.pump.isOver,
            threadCPU: BenchClock.threadCPU
        )
    }

    /// How late the objects were handed over.
    var lag: LatencyHistogram { self.pump.lag }

    /// Closes the sessions.
    func close() {
        self.isClosing = true
        self.pump.stop()
        self.publication?.withdraw()
        self.publication = nil
        for session in self.sessions {
            session.close(.noError, reason: "")
        }
    }

    func sessionDidSetUp(_ session: MoQSession) {
        guard self.announces else { return }
        self.publication = self.announce(self.namespace, in: session, self.events)
    }

    func session(_ session: MoQSession, didReceive request: IncomingSubscribe) {
        guard let track = self.tracks[request.track] else {
            request.reject(.doesNotExist, reason: "no such track is published here")
            return
        }
        self.pump.attach(request.accept(largest: self.pump.largest(of: track)), to: track)
    }

    func session(_ session: MoQSession, didReceive request: IncomingSubscribeNamespace) {
        request.accept()
        request.publish(self.namespace)
        self.namespaceRequests.append(request)
        request.onCancelled = { [weak self, weak request] in
            self?.namespaceRequests.removeAll { $0 === request }
        }
    }

    func session(_ session: MoQSession, didClose closure: MoQSessionClosure) {
        self.sessions.removeAll { $0 === session }
        guard self.announces, !self.isClosing else { return }
        self.events.fail(CommandFailure("the publisher's connection was lost: \(closure)"))
    }
}
