// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQProtocol
public import MoQWire

/// A request of this side to be told of namespaces, or to be offered the tracks in them. Loop only.
public final class NamespaceSubscription {
    /// What the namespaces begin with.
    public let prefix: TrackNamespace
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
        case .requestOk:
            try self.machine.receivedOk()
            self.respond(.success(()))
        case .requestError(let error):
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
