// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// The subscriber's side of a subscription, whether it began with SUBSCRIBE or PUBLISH (draft-18 §5.1).
///
/// ```
///   pending ── accepted() ──► established ── done() ──► draining ── all streams seen and ended, or too late ──► ended
///      │                          │                        │
///      └─ rejected(), cancel() ───┴── cancel(), sessionClosed() ──────────────────────────────────────────────► ended
/// ```
///
/// PUBLISH_DONE often overtakes the streams that it counts, so the machine counts streams and gives the end out when
/// they have all come and gone, or when nothing came for as long as the grace period. Datagrams it cannot count: where
/// some came, others get a shorter grace period.
public struct SubscriptionMachine: ~Copyable {
    /// Where the subscription is.
    public enum State: Hashable, Sendable {
        /// Not answered yet.
        case pending
        /// Objects may come.
        case established
        /// PUBLISH_DONE was seen, streams are missing.
        case draining
        /// Over.
        case ended
    }

    /// What PUBLISH_DONE said.
    public struct Done: Hashable, Sendable {
        /// Why the subscription ended.
        public var status: PublishDoneStatus
        /// How many streams there are, if the publisher knows.
        public var streamCount: UInt64?
        /// A text for people.
        public var reason: String

        /// Makes a value of its fields.
        public init(status: PublishDoneStatus, streamCount: UInt64?, reason: String) {
            self.status = status
            self.streamCount = streamCount
            self.reason = reason
        }
    }

    /// What to do after an event.
    public enum Action: Hashable, Sendable {
        /// Nothing.
        case none
        /// Look again at this time, with ``SubscriptionMachine/graceTimerFired(now:hasProgress:)``.
        case wait(until: MonotonicInstant)
        /// Stop reading the streams that are open and tell the consumer that the track ended.
        case end(Done)
    }

    /// What to do when the subscriber cancels.
    public enum CancelAction: Hashable, Sendable {
        /// Tell the peer. `wasEstablished` says whether the consumer has to be told, too.
        case cancel(wasEstablished: Bool)
        /// The publisher is done already, so there is nobody to tell but the consumer.
        case endLocally
        /// It was over.
        case nothing
    }

    /// Where the subscription is.
    public private(set) var state: State = .pending
    /// How many streams of the subscription have been seen.
    public private(set) var streamsSeen: UInt64 = 0
    /// How many of them are being read.
    public private(set) var streamsOpen: UInt64 = 0

    private let gracePeriod: Duration
    private let datagramGracePeriod: Duration
    private var done: Done?
    /// Whether datagrams may come that PUBLISH_DONE overtook.
    private var awaitsDatagrams = false

    /// Makes a machine. `gracePeriod` is how long announced streams may stay away after PUBLISH_DONE;
    /// `datagramGracePeriod`, not longer, how long after it datagrams are waited for when all streams have come.
    public init(gracePeriod: Duration, datagramGracePeriod: Duration = .zero) {
        self.gracePeriod = gracePeriod
        self.datagramGracePeriod = datagramGracePeriod
    }

    /// The request was accepted, by either side.
    ///
    /// - Throws: PROTOCOL_VIOLATION when it was answered before.
    public mutating func accepted() throws(ProtocolViolation) {
        guard self.state == .pending else {
            throw .protocolViolation("second answer to a subscription request")
        }
        self.state = .established
    }

    /// The request was refused, by either side.
    ///
    /// - Throws: PROTOCOL_VIOLATION when it was answered before.
    public mutating func rejected() throws(ProtocolViolation) {
        guard self.state == .pending else {
            throw .protocolViolation("second answer to a subscription request")
        }
        self.state = .ended
    }

    /// A data stream of the subscription was recognised.
    public mutating func streamOpened() {
        self.streamsSeen &+= 1
        self.streamsOpen &+= 1
    }

    /// A data stream of the subscription ended, in whatever way.
    public mutating func streamEnded() -> Action {
        self.streamsOpen = self.streamsOpen == 0 ? 0 : self.streamsOpen - 1
        return self.endIfComplete()
    }

    /// An object came in a datagram.
    public mutating func datagramArrived() {
        if self.state == .established {
            self.awaitsDatagrams = self.datagramGracePeriod > .zero
        }
    }

    /// PUBLISH_DONE arrived.
    ///
    /// - Throws: PROTOCOL_VIOLATION before the subscription was accepted and when it comes twice.
    public mutating func receivedDone(_ done: Done, now: MonotonicInstant) throws(ProtocolViolation) -> Action {
        switch self.state {
        case .pending:
            throw .protocolViolation("PUBLISH_DONE for a subscription that is not established")
        case .draining:
            throw .protocolViolation("second PUBLISH_DONE")
        case .ended:
            return .none
        case .established:
            self.state = .draining
            self.done = done
            let isOrderly = done.status == .trackEnded || done.status == .subscriptionEnded
            if isOrderly, done.streamCount == 0, self.streamsSeen == 0 {
                // Either nothing was sent, or all of it in datagrams, which may not have been looked at yet: they can stand
                // behind this message in the same packet.
                self.awaitsDatagrams = self.datagramGracePeriod > .zero
            }
            let action = self.endIfComplete()
            guard action == .none else {
                return action
            }
            return .wait(until: now.advanced(by: self.awaitsDatagrams ? self.datagramGracePeriod : self.gracePeriod))
        }
    }

    /// The grace period is over. `hasProgress` says whether any stream moved since the last time, or one that is open
    /// was not allowed to by us: a publisher with a long queue may announce the end long before it has sent everything.
    public mutating func graceTimerFired(now: MonotonicInstant, hasProgress: Bool) -> Action {
        guard self.state == .draining, let done = self.done else {
            return .none
        }
        if self.awaitsDatagrams {
            self.awaitsDatagrams = false
            let action = self.endIfComplete()
            return action == .none ? .wait(until: now.advanced(by: self.gracePeriod)) : action
        }
        guard hasProgress else {
            self.state = .ended
            return .end(done)
        }
        return .wait(until: now.advanced(by: self.gracePeriod))
    }

    /// The subscriber wants no more.
    public mutating func cancel() -> CancelAction {
        switch self.state {
        case .pending:
            self.state = .ended
            return .cancel(wasEstablished: false)
        case .established:
            self.state = .ended
            return .cancel(wasEstablished: true)
        case .draining:
            self.state = .ended
            return .endLocally
        case .ended:
            return .nothing
        }
    }

    /// The publisher gave up without PUBLISH_DONE, or the session closed. Returns in which state that was.
    public mutating func terminated() -> State {
        let state = self.state
        self.state = .ended
        return state
    }

    private mutating func endIfComplete() -> Action {
        guard self.state == .draining, let done = self.done, self.streamsOpen == 0, !self.awaitsDatagrams else {
            return .none
        }
        guard let count = done.streamCount, self.streamsSeen >= count else {
            return .none
        }
        self.state = .ended
        return .end(done)
    }
}
