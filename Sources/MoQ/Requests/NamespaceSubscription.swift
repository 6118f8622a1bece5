// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQProtocol
public import MoQWire

/// A request of this side to be told of namespaces, or to be offered the tracks in them. Loop only.
public final class NamespaceSubscription {
    /// What the namespaces begin with. Another one once the peer has accepted ``update(prefix:tokens:response:)``.
    public private(set) var prefix: TrackNamespace
    /// The session.
    public let session: MoQSession

    private let interest: SubscribeNamespace.Interest
    private let forward: Bool?
    private let tokens: [AuthorizationToken]
    private var machine: NamespaceSubscriptionMachine
    private var link: RequestLink?
    private var events: ((NamespaceEvent) -> Void)?
    private var response: ((Result<Void, MoQError>) -> Void)?
    /// The announcements that are reports for this subscription, by suffix, in drafts that report in this way.
    private var announcements: [TrackNamespace: ReceivedAnnouncement] = [:]
    private let updates = OutgoingUpdates()
    /// The prefix that the peer was asked to report from now on.
    private var nextPrefix: TrackNamespace?

    init(
        session: MoQSession,
        prefix: TrackNamespace,
        interest: SubscribeNamespace.Interest,
        forward: Bool?,
        tokens: [AuthorizationToken],
        events: @escaping (NamespaceEvent) -> Void,
        response: @escaping (Result<Void, MoQError>) -> Void
    ) {
        self.session = session
        self.prefix = prefix
        self.interest = interest
        self.forward = forward
        self.tokens = tokens
        self.machine = NamespaceSubscriptionMachine(limit: session.configuration.maxNamespacesPerSubscription)
        self.events = events
        self.response = response
    }

    /// Whether the peer has accepted the request and reports namespaces.
    public var isEstablished: Bool {
        self.machine.state == .established
    }

    /// The namespaces that exist now, as far as reported.
    public var namespaces: [TrackNamespace] {
        self.machine.suffixes.map { self.prefix.appending($0) }
    }

    /// Ends the subscription. Before the answer, the response fails with ``MoQError/Code/cancelled``; after it, the
    /// last event is ``NamespaceEvent/ended(_:)``.
    public func cancel() {
        let state = self.machine.ended()
        guard state != .ended else {
            return
        }
        self.forgetPrefix()
        if let link = self.link {
            link.cancel()
        } else {
            self.session.withdraw(self)
        }
        self.tellEnd(state, MoQError(code: .cancelled, message: "the subscription was cancelled"), isPlanned: true)
    }

    /// Follows another prefix from now on (draft-18 §10.9.2, "Updating Namespace Subscriptions", and §10.2.14). `tokens` are
    /// what allows that; those that are configured for all requests do not come with updates.
    ///
    /// When the peer accepts, ``prefix`` is the new one; then `response` is called, and each namespace that exists and does not
    /// begin with it is told as withdrawn, because nothing more will be heard of it. What is new under it comes as it does
    /// after a SUBSCRIBE_NAMESPACE. Tracks that were offered before stay, since each is a subscription of its own.
    ///
    /// `response` is called once, on the loop; it fails at once when the subscription is not established, while another prefix
    /// waits for its answer, with ``MoQError/Code/prefixOverlap`` when the session follows a prefix in the same way that
    /// overlaps with the new one, and when the draft has no such update, as those before 18. A peer that refuses ends the
    /// subscription.
    public func update(
        prefix: TrackNamespace,
        tokens: [AuthorizationToken] = [],
        response: ((Result<Void, MoQError>) -> Void)? = nil
    ) {
        func fail(_ code: MoQError.Code, _ message: String) {
            response?(.failure(MoQError(code: code, message: message)))
        }
        guard self.session.profile.parameters.contains(where: { $0.name == .trackNamespacePrefix }) else {
            fail(.notExpressible, "the draft has no update of a prefix")
            return
        }
        guard let link = self.link, self.isEstablished, self.nextPrefix == nil else {
            fail(.invalidState, "the subscription is not established, or is about to follow another prefix")
            return
        }
        guard !self.session.follows(prefix, besides: self) else {
            fail(.prefixOverlap, "\(prefix) overlaps with another prefix of the session")
            return
        }
        self.nextPrefix = prefix
        let answered: OutgoingUpdates.Response = { [weak self] result in
            self?.nextPrefix = nil
            switch result {
            case .success:
                self?.moved(to: prefix, response)
            case .failure(let error):
                response?(.failure(error))
            }
        }
        self.updates.send(prefix: prefix, tokens: tokens, of: self, over: link, response: answered)
    }

    private func moved(to prefix: TrackNamespace, _ response: ((Result<Void, MoQError>) -> Void)?) {
        let old = self.prefix
        self.prefix = prefix
        let gone = self.machine.moved(from: old, to: prefix)
        response?(.success(()))
        for suffix in gone {
            self.events?(.withdrawn(old.appending(suffix)))
        }
    }

    /// Whether the subscription follows a prefix that overlaps with this one, or is about to.
    func isAbout(_ prefix: TrackNamespace) -> Bool {
        self.prefix.overlaps(prefix) || self.nextPrefix?.overlaps(prefix) == true
    }

    private func forgetPrefix() {
        self.session.namespaceSubscriptions.removeAll { $0 === self }
        let announcements = self.announcements
        self.announcements = [:]
        for announcement in announcements.values {
            announcement.forget()
        }
    }

    /// The peer announced a namespace with this prefix, which is how it reports it (draft-14 §6.1).
    func receive(_ announcement: ReceivedAnnouncement) {
        let namespace = announcement.request.namespace
        guard let suffix = namespace.suffix(after: self.prefix) else {
            return
        }
        let isNews: Bool
        do throws(ProtocolViolation) {
            isNews = try self.machine.receivedNamespace(suffix)
        } catch {
            announcement.reject(.excessiveLoad, reason: "too many namespaces")
            return
        }
        self.announcements[suffix] = announcement
        announcement.onWithdrawn = { [weak self] in
            self?.withdrawn(suffix)
        }
        announcement.accept()
        if isNews, self.interest != .tracks {
            self.events?(.published(namespace))
        }
    }

    private func withdrawn(_ suffix: TrackNamespace) {
        guard self.announcements.removeValue(forKey: suffix) != nil, self.session.isOpen,
            (try? self.machine.receivedNamespaceDone(suffix)) != nil, self.interest != .tracks
        else {
            return
        }
        self.events?(.withdrawn(self.prefix.appending(suffix)))
    }

    private func respond(_ result: Result<Void, MoQError>) {
        let response = self.response
        self.response = nil
        response?(result)
    }

    private func tellEnd(_ state: NamespaceSubscriptionMachine.State, _ error: MoQError, isPlanned: Bool) {
        let events = self.events
        self.events = nil
        for response in self.updates.takeAll(of: self.session) {
            response(.failure(MoQError(code: .invalidState, message: "the subscription ended")))
        }
        switch state {
        case .pending:
            self.respond(.failure(error))
        case .established:
            events?(.ended(isPlanned ? nil : error))
        case .ended:
            break
        }
    }

    private func lost(_ message: String) {
        let state = self.machine.ended()
        guard state != .ended else {
            return
        }
        self.forgetPrefix()
        self.tellEnd(state, MoQError(code: .cancelledByPeer, message: message), isPlanned: false)
    }
}

extension NamespaceSubscription: OutgoingRequest {
    /// Where SUBSCRIBE_NAMESPACE is about tracks, too, there is no message of its own for that.
    var kind: RequestKind {
        self.interest == .tracks && self.session.profile.hasSubscribeTracks ? .subscribeTracks : .subscribeNamespace
    }

    var isWithdrawn: Bool {
        self.machine.state == .ended
    }

    func openingMessage(id: RequestID) -> MoQMessage {
        guard self.kind == .subscribeNamespace else {
            return .subscribeTracks(
                SubscribeTracks(requestID: id, prefix: self.prefix, forward: self.forward, tokens: self.tokens)
            )
        }
        return .subscribeNamespace(
            SubscribeNamespace(
                requestID: id,
                prefix: self.prefix,
                // Where one cannot choose, one gets both.
                interest: self.session.profile.hasNamespaceReports ? self.interest : .both,
                forward: self.forward,
                tokens: self.tokens
            )
        )
    }

    func launched(_ link: RequestLink) {
        self.link = link
    }

    func launchFailed(_ error: MoQError) {
        let state = self.machine.ended()
        guard state != .ended else {
            return
        }
        self.forgetPrefix()
        self.tellEnd(state, error, isPlanned: false)
    }

    func receive(_ message: MoQMessage) throws(ProtocolViolation) {
        switch message {
        case .requestOk(let ok):
            if let response = self.updates.take(ok.requestID) {
                response(.success(ok))
                return
            }
            try self.machine.receivedOk()
            self.respond(.success(()))
        case .requestError(let error):
            if let response = self.updates.take(error.requestID) {
                response(.failure(MoQError(error)))
                return
            }
            try self.machine.receivedError()
            self.forgetPrefix()
            self.link?.finish()
            self.link?.retire()
            self.events = nil
            self.respond(.failure(MoQError(error)))
        case .namespace(let message):
            if try self.machine.receivedNamespace(message.suffix) {
                self.events?(.published(self.prefix.appending(message.suffix)))
            }
        case .namespaceDone(let message):
            try self.machine.receivedNamespaceDone(message.suffix)
            self.events?(.withdrawn(self.prefix.appending(message.suffix)))
        case .publishBlocked(let message):
            let namespace = self.prefix.appending(message.suffix)
            self.events?(.blocked(FullTrackName(namespace: namespace, name: message.name)))
        case .requestUpdate(let update):
            self.link?.refuseUpdate(update.requestID, .notSupported, reason: "not the sender of the request")
        default:
            throw .protocolViolation("message that does not belong to a SUBSCRIBE_NAMESPACE")
        }
    }

    func peerFinished() {
        self.link?.finish()
        self.link?.retire()
        self.lost("the peer closed the request")
    }

    func peerCancelled() {
        self.link?.retire()
        self.lost("the peer cancelled the request")
    }

    func sessionClosed(_ closure: MoQSessionClosure) {
        self.link?.retire()
        self.announcements = [:]
        self.tellEnd(self.machine.ended(), MoQError(closure), isPlanned: false)
    }
}
