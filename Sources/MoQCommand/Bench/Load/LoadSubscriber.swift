// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire
internal import PacketLoop
internal import WebTransport

/// One subscriber of a load, with a session of its own. Counts what arrives where it arrives: nothing is kept, and nothing
/// is allocated for an object. (loop)
final class LoadSubscriber: LoadSessionHandler {
    /// What its owner learns.
    enum Event {
        /// The subscription stands.
        case subscribed
        /// It cannot be had, or has ended.
        case ended(CommandFailure)
    }

    private let track: FullTrackName
    private let tally: LoadTally
    private let events: (Event) -> Void
    private var window = SequenceWindow()
    private var idleIntakes: [Intake] = []
    private var session: MoQSession?
    private var subscription: Subscription?
    private var retries = LoadRetries()
    private var isOver = false

    /// Subscribes as soon as the session is set up.
    init(track: FullTrackName, tally: LoadTally, events: @escaping (Event) -> Void) {
        self.track = track
        self.tally = tally
        self.events = events
    }

    /// The draft of the session, once there is one.
    var draft: DraftVersion? { self.session?.profile.version }

    /// Makes and starts the session.
    func join(
        _ transport: any WebTransportSession,
        loop: PacketLoop,
        profile: DraftProfile,
        configuration: MoQSessionConfiguration
    ) {
        let session = MoQSession(
            transport: transport,
            loop: loop,
            profile: profile,
            configuration: configuration,
            handler: self
        )
        self.session = session
        session.start()
    }

    /// Reads no more.
    func pause() {
        self.subscription?.pause()
    }

    /// Closes the session. The owner hears nothing more.
    func close() {
        self.isOver = true
        self.session?.close(.noError, reason: "")
    }

    func sessionDidSetUp(_ session: MoQSession) {
        self.subscribe(in: session)
    }

    func session(_ session: MoQSession, didClose closure: MoQSessionClosure) {
        self.end(CommandFailure("a subscriber's connection was lost: \(closure)"))
    }

    private func subscribe(in session: MoQSession) {
        guard !self.isOver else { return }
        self.subscription = session.subscribe(SubscribeRequest(track: self.track), consumer: self) {
            [weak self, weak session] result in
            guard let self, let session else { return }
            switch result {
            case .success:
                self.events(.subscribed)
            case .failure(let error) where error.code == .sessionClosed:
                // The session itself says why, right afterwards.
                break
            case .failure(let error):
                let isRetried = self.retries.retry(after: error, in: session) { [weak self, weak session] in
                    if let session { self?.subscribe(in: session) }
                }
                if !isRetried {
                    self.end(CommandFailure("the track was refused: \(error)"))
                }
            }
        }
    }

    private func end(_ failure: CommandFailure) {
        guard !self.isOver else { return }
        self.isOver = true
        self.events(.ended(failure))
    }

    private func count(_ stamp: LoadStamp?, length: UInt64) {
        self.tally.count(stamp, length: length, in: &self.window)
    }

    /// Takes the objects of one subgroup after the other.
    private final class Intake: SubgroupConsumer {
        private let owner: LoadSubscriber
        private var reader = LoadStamp.Reader()
        private var length: UInt64 = 0
        private var missing: UInt64 = 0

        init(_ owner: LoadSubscriber) {
            self.owner = owner
        }

        func beginObject(_ object: ObjectHeader) {
            guard object.status == .normal else { return }
            self.length = object.payloadLength
            self.missing = object.payloadLength
            self.reader.begin()
            if self.missing == 0 {
                self.owner.tally.countCorrupt()
            }
        }

        func receive(payload: Bytes) {
            let count = UInt64(payload.count)
            guard count > 0, count <= self.missing else { return }
            self.reader.take(payload.span)
            self.missing -= count
            if self.missing == 0 {
                self.owner.count(self.reader.stamp, length: self.length)
            }
        }

        func finish() {
            self.owner.takeBack(self)
        }

        func reset(_ code: StreamResetCode) {
            self.missing = 0
            self.owner.takeBack(self)
        }
    }

    /// An intake is idle again.
    private func takeBack(_ intake: Intake) {
        guard !self.isOver, self.idleIntakes.count < 64 else { return }
        self.idleIntakes.append(intake)
    }
}

extension LoadSubscriber: TrackConsumer {
    func beginSubgroup(_ subgroup: SubgroupDescription) -> (any SubgroupConsumer)? {
        self.idleIntakes.popLast() ?? Intake(self)
    }

    func receive(_ datagram: ObjectDatagram, payload: Bytes) {
        guard datagram.status == .normal else { return }
        var reader = LoadStamp.Reader()
        reader.take(payload.span)
        self.count(reader.stamp, length: UInt64(payload.count))
    }

    func trackEnded(_ end: TrackEnd) {
        self.subscription = nil
        self.idleIntakes = []
        guard end.cause != .sessionClosed else { return }
        let reason = end.reason.isEmpty ? "\(end.status)" : "\(end.status), \(end.reason)"
        self.end(CommandFailure("the track ended early: \(reason)"))
    }
}
