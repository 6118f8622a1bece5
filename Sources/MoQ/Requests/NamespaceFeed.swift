// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import DequeModule
import MoQProtocol
import MoQWire
import PacketLoop

/// A SUBSCRIBE_NAMESPACE or SUBSCRIBE_TRACKS of the peer, for as long as it stands. Loop only.
final class NamespaceFeed: SessionRequest {
    let link: RequestLink
    let request: SubscribeNamespace
    var onCancelled: (() -> Void)?
    var onPrefixUpdate: ((IncomingPrefixUpdate) -> Void)?
    private var machine: NamespaceFeedMachine
    /// What is reported when the stream has room, by suffix, in order. What is not in ``pending`` any more is passed over.
    private var order: Deque<TrackNamespace> = []
    private var pending: Set<TrackNamespace> = []
    /// Updates of a request that is not answered.
    private var heldUpdates: [RequestUpdate] = []

    /// With so much in the stream's queue, further reports wait here: a list is as long as there are namespaces, and the queue
    /// of a stream has an end.
    static let window = 64 << 10

    init(link: RequestLink, request: SubscribeNamespace) {
        self.link = link
        self.request = request
        self.machine = NamespaceFeedMachine(
            prefix: request.prefix,
            reportsNamespaces: request.interest != .tracks
        )
    }

    /// What the namespaces begin with.
    var prefix: TrackNamespace {
        self.machine.prefix
    }

    var acceptedLink: RequestLink? {
        self.machine.state == .established ? self.link : nil
    }

    func accept() {
        guard self.machine.accept() else {
            return
        }
        self.link.send(.requestOk(RequestOk(requestID: self.link.id, answers: self.link.kind)))
        if !self.heldUpdates.isEmpty {
            // Later, because whoever accepts has not said yet what exists, or how updates are answered.
            _ = self.link.session.loop.schedule(after: .zero) { [weak self] in
                self?.applyHeldUpdates()
            }
        }
    }

    private func applyHeldUpdates() {
        let updates = self.heldUpdates
        self.heldUpdates = []
        for update in updates {
            self.apply(update)
        }
    }

    func reject(_ code: RequestErrorCode, reason: String, redirect: Redirect? = nil) {
        guard self.machine.reject() else {
            return
        }
        self.forgetOwner()
        self.link.refuse(code, reason: reason, redirect: redirect)
    }

    func publish(_ namespace: TrackNamespace) {
        guard let suffix = self.machine.publish(namespace) else {
            return
        }
        if self.hasReports {
            self.report(suffix)
        } else {
            self.link.session.announce(namespace)
        }
    }

    func withdraw(_ namespace: TrackNamespace) {
        guard let suffix = self.machine.withdraw(namespace) else {
            return
        }
        guard self.pending.remove(suffix) == nil else {
            return
        }
        if self.hasReports {
            self.link.send(.namespaceDone(NamespaceDone(suffix: suffix)))
        } else {
            self.link.session.announcer?.withdraw(namespace)
        }
    }

    private func report(_ suffix: TrackNamespace) {
        guard self.link.stream.queuedByteCount >= Self.window || !self.pending.isEmpty else {
            self.link.send(.namespace(Namespace(suffix: suffix)))
            return
        }
        self.pending.insert(suffix)
        if self.order.count > 2 * self.pending.count {
            // What was withdrawn meanwhile would pile up.
            self.order.removeAll { !self.pending.contains($0) || $0 == suffix }
        }
        self.order.append(suffix)
    }

    func streamDidDrain() {
        while !self.pending.isEmpty, self.link.stream.queuedByteCount < Self.window,
            let suffix = self.order.popFirst()
        {
            if self.pending.remove(suffix) != nil {
                self.link.send(.namespace(Namespace(suffix: suffix)))
            }
        }
    }

    /// Whether the draft has NAMESPACE for what is reported here; if not, each namespace is announced.
    private var hasReports: Bool {
        self.link.session.profile.hasNamespaceReports
    }

    func block(_ track: FullTrackName) {
        if let suffix = self.machine.suffix(of: track.namespace) {
            self.link.send(.publishBlocked(PublishBlocked(suffix: suffix, name: track.name)))
        }
    }

    func end() {
        guard self.machine.ended() != .ended else {
            return
        }
        self.forgetOwner()
        self.dropPending()
        self.link.session.announcer?.withdrawAll(under: self.prefix)
        self.link.finish()
        self.link.retire()
    }

    func receive(_ message: MoQMessage) throws(ProtocolViolation) {
        if case .unsubscribeNamespace = message {
            self.peerCancelled()
            return
        }
        guard case .requestUpdate(let update) = message else {
            throw .protocolViolation("message that does not belong to a SUBSCRIBE_NAMESPACE")
        }
        guard self.machine.state == .pending || !self.heldUpdates.isEmpty else {
            self.apply(update)
            return
        }
        // An answer now would pass for the answer to the request.
        guard self.heldUpdates.count < TrackPublisher.maximumHeldUpdates else {
            throw ProtocolViolation(.internalError, "too many updates of a request that is not answered")
        }
        self.heldUpdates.append(update)
    }

    private func apply(_ update: RequestUpdate) {
        guard self.machine.state == .established else {
            // An update before this one ended the request.
            self.link.session.peerRequestEnded()
            return
        }
        let refusal = self.link.session.refusal(
            of: update,
            changing: self.link.kind,
            namespace: update.namespacePrefix ?? self.prefix
        )
        if let refusal {
            self.refuse(update, refusal.code, reason: refusal.reason)
        } else if let prefix = update.namespacePrefix, prefix != self.prefix {
            self.ask(prefix, update)
        } else {
            self.link.acceptUpdate(update.requestID)
        }
    }

    /// The peer wants to follow another prefix (draft-18 §10.2.14, "TRACK_NAMESPACE_PREFIX").
    private func ask(_ prefix: TrackNamespace, _ update: RequestUpdate) {
        guard !self.link.session.overlaps(prefix, with: self.link) else {
            self.refuse(update, .prefixOverlap, reason: "the prefix overlaps with another one of this session")
            return
        }
        guard let onPrefixUpdate = self.onPrefixUpdate else {
            self.refuse(update, .notSupported, reason: "the prefix cannot be changed here")
            return
        }
        let question = IncomingPrefixUpdate(entry: self, update: update, prefix: prefix)
        onPrefixUpdate(question)
        question.reject(.internalError, reason: "the update was not answered")
    }

    /// The peer follows another prefix from now on: what is said behind the answer has suffixes of that one.
    func move(to prefix: TrackNamespace, _ update: RequestUpdate) {
        guard self.machine.state == .established else {
            self.link.session.peerRequestEnded()
            return
        }
        let old = self.prefix
        self.link.session.peerPrefixes[self.link.id] = (self.link.kind, prefix)
        self.machine.move(to: prefix)
        self.order = Deque(
            self.order.compactMap { suffix in
                self.pending.contains(suffix) ? old.appending(suffix).suffix(after: prefix) : nil
            }
        )
        self.pending = Set(self.order)
        self.link.acceptUpdate(update.requestID)
    }

    /// A failed update closes the stream (draft-18 §10.9.1).
    func refuse(_ update: RequestUpdate, _ code: RequestErrorCode, reason: String) {
        guard self.machine.state == .established else {
            self.link.session.peerRequestEnded()
            return
        }
        self.link.refuseUpdate(update.requestID, code, reason: reason)
        self.link.finish()
        self.link.retire()
        self.cancelled()
    }

    func peerFinished() {
        self.link.finish()
        self.link.retire()
        self.cancelled()
    }

    func peerCancelled() {
        self.link.retire()
        self.cancelled()
    }

    func sessionClosed(_ closure: MoQSessionClosure) {
        self.link.retire()
        self.cancelled()
    }

    /// The request is over for its owner. Updates that were held for the answer get none, but the peer may make others.
    private func forgetOwner() {
        self.onCancelled = nil
        self.onPrefixUpdate = nil
        for _ in self.heldUpdates {
            self.link.session.peerRequestEnded()
        }
        self.heldUpdates = []
    }

    private func dropPending() {
        self.pending = []
        self.order = []
    }

    private func cancelled() {
        guard self.machine.ended() != .ended else {
            return
        }
        self.dropPending()
        self.link.session.announcer?.forgetAll(under: self.prefix)
        let onCancelled = self.onCancelled
        self.forgetOwner()
        onCancelled?()
    }
}
