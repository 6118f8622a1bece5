// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// The publisher's side of a subscription, whether it began with SUBSCRIBE or PUBLISH (draft-18 §5.1).
///
/// ```
///   requested ── accept() ───────┐
///                                ├──► established ── end() ──► ending ── last subgroup closed ──► done
///   offered ── offerAccepted() ──┘         │                     │       (PUBLISH_DONE)            │
///                                          └──── cancelled() ────┴──────────► ended ◄─ delivered ──┘
/// ```
///
/// PUBLISH_DONE must not precede the end of any stream, so the machine counts open subgroups, which still take objects or
/// have bytes to send, whether or not they have a stream yet; and streams that the peer has not confirmed.
public struct PublicationMachine: ~Copyable {
    /// How the subscription began.
    public enum Origin: Hashable, Sendable {
        /// The peer sent SUBSCRIBE.
        case requested
        /// We sent PUBLISH.
        case offered
    }

    /// Where the subscription is.
    public enum State: Hashable, Sendable {
        /// The peer's SUBSCRIBE is not answered.
        case requested
        /// Our PUBLISH is not answered.
        case offered
        /// Objects may go out.
        case established
        /// No new streams; PUBLISH_DONE goes out when those that exist are closed.
        case ending
        /// PUBLISH_DONE went out.
        case done
        /// Over.
        case ended
    }

    /// What to do after an event.
    public enum Action: Hashable, Sendable {
        /// Nothing.
        case none
        /// Send PUBLISH_DONE and close the request. `isDelivered` says that everything is delivered by then, too.
        case sendDone(PublishDoneStatus, streamCount: UInt64, reason: String, isDelivered: Bool)
        /// Everything is delivered, after PUBLISH_DONE.
        case delivered
    }

    /// Where the subscription is.
    public private(set) var state: State
    /// How many streams were opened for the subscription.
    public private(set) var streamCount: UInt64 = 0
    /// How many subgroups still take objects or have bytes to send.
    public private(set) var openSubgroups: UInt64 = 0
    /// How many streams are not confirmed by the peer.
    public private(set) var undeliveredStreams: UInt64 = 0

    private var status: PublishDoneStatus = .trackEnded
    private var reason = ""

    /// Makes a machine for a subscription that began like this.
    public init(origin: Origin) {
        self.state = origin == .requested ? .requested : .offered
    }

    /// We accept the peer's SUBSCRIBE. Returns whether there is still something to accept.
    public mutating func accept() -> Bool {
        guard self.state == .requested else {
            return false
        }
        self.state = .established
        return true
    }

    /// We refuse the peer's SUBSCRIBE. Returns whether there is still something to refuse.
    public mutating func reject() -> Bool {
        guard self.state == .requested else {
            return false
        }
        self.state = .ended
        return true
    }

    /// The peer accepted our PUBLISH. Returns false when the answer came too late to matter.
    ///
    /// - Throws: PROTOCOL_VIOLATION when it was answered before, or was no PUBLISH.
    public mutating func offerAccepted() throws(ProtocolViolation) -> Bool {
        switch self.state {
        case .offered:
            self.state = .established
            return true
        case .ending, .done, .ended:
            return false
        case .requested, .established:
            throw .protocolViolation("answer to a PUBLISH that is not pending")
        }
    }

    /// The peer refused our PUBLISH. Returns false when the answer came too late to matter.
    ///
    /// - Throws: PROTOCOL_VIOLATION when it was answered before, or was no PUBLISH.
    public mutating func offerRejected() throws(ProtocolViolation) -> Bool {
        switch self.state {
        case .offered:
            self.state = .ended
            return true
        case .ending, .done, .ended:
            return false
        case .requested, .established:
            throw .protocolViolation("answer to a PUBLISH that is not pending")
        }
    }

    /// A subgroup begins; it may get a stream later.
    public mutating func subgroupBegan() {
        self.openSubgroups &+= 1
    }

    /// A subgroup needs a stream. Returns whether one may be opened.
    public mutating func streamOpened() -> Bool {
        guard self.state == .established || self.state == .ending else {
            return false
        }
        self.streamCount &+= 1
        self.undeliveredStreams &+= 1
        return true
    }

    /// A subgroup has nothing left to send: it was finished and drained, or given up.
    public mutating func subgroupClosed() -> Action {
        self.openSubgroups = self.openSubgroups == 0 ? 0 : self.openSubgroups - 1
        return self.finishIfPossible()
    }

    /// The peer has all of a stream, or will never have it. Follows ``subgroupClosed()``.
    public mutating func streamDelivered() -> Action {
        self.undeliveredStreams = self.undeliveredStreams == 0 ? 0 : self.undeliveredStreams - 1
        guard self.state == .done, self.undeliveredStreams == 0 else {
            return .none
        }
        self.state = .ended
        return .delivered
    }

    /// We end the subscription.
    public mutating func end(_ status: PublishDoneStatus, reason: String) -> Action {
        switch self.state {
        case .established, .offered:
            self.state = .ending
            self.status = status
            self.reason = reason
            return self.finishIfPossible()
        case .requested, .ending, .done, .ended:
            return .none
        }
    }

    /// We end the subscription for a graver reason, although it may be ending already.
    public mutating func abort(_ status: PublishDoneStatus, reason: String) -> Action {
        if self.state == .ending {
            self.status = status
            self.reason = reason
            return .none
        }
        return self.end(status, reason: reason)
    }

    /// The peer cancelled, or the session closed. Returns in which state that was.
    public mutating func cancelled() -> State {
        let state = self.state
        self.state = .ended
        return state
    }

    private mutating func finishIfPossible() -> Action {
        guard self.state == .ending, self.openSubgroups == 0 else {
            return .none
        }
        let isDelivered = self.undeliveredStreams == 0
        self.state = isDelivered ? .ended : .done
        return .sendDone(self.status, streamCount: self.streamCount, reason: self.reason, isDelivered: isDelivered)
    }
}
