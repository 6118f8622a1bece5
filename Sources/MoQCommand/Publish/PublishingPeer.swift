// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire

/// The publisher's side of one session: announces the namespace to a relay, and gives the one track that it has to
/// whoever asks for it. (loop)
final class PublishingPeer: MoQSessionHandler {
    /// What the owner of the session learns.
    enum Event {
        /// The relay accepted the namespace.
        case announced
        /// The relay refused the namespace, or does not want it any more.
        case refused(String)
        /// The peer will not keep the session up much longer.
        case goingAway
        /// The session is over.
        case closed(MoQSessionClosure)
    }

    private let track: LiveTrack
    private let name: FullTrackName
    private let announces: Bool
    private let events: (Event) -> Void
    private var publication: NamespacePublication?
    private var namespaceRequests: [IncomingSubscribeNamespace] = []

    /// Publishes `track` as `name`. With `announces` the namespace is announced: relays need that, subscribers do not.
    init(track: LiveTrack, name: FullTrackName, announces: Bool, events: @escaping (Event) -> Void) {
        self.track = track
        self.name = name
        self.announces = announces
        self.events = events
    }

    /// Takes the announcement back, before the session is closed.
    func withdraw() {
        self.publication?.withdraw()
        self.publication = nil
    }

    func sessionDidSetUp(_ session: MoQSession) {
        guard self.announces else { return }
        let publication = session.publishNamespace(self.name.namespace) { [weak self] result in
            switch result {
            case .success: self?.events(.announced)
            case .failure(let error): self?.events(.refused(error.message))
            }
        }
        publication.onCancelled = { [weak self] _, reason in
            self?.events(.refused(reason))
        }
        self.publication = publication
    }

    func session(_ session: MoQSession, didReceive request: IncomingSubscribe) {
        guard request.track == self.name, !self.track.hasEnded else {
            request.reject(.doesNotExist, reason: "only \(self.name) is published here")
            return
        }
        self.track.attach(request.accept(largest: self.track.largest))
    }

    func session(_ session: MoQSession, didReceive request: IncomingTrackStatus) {
        guard request.track == self.name, !self.track.hasEnded else {
            request.reject(.doesNotExist, reason: "only \(self.name) is published here")
            return
        }
        request.accept(largest: self.track.largest)
    }

    func session(_ session: MoQSession, didReceive request: IncomingPublish) {
        request.reject(.uninterested, reason: "this side only publishes")
    }

    func session(_ session: MoQSession, didReceive request: IncomingPublishNamespace) {
        request.reject(.uninterested, reason: "this side only publishes")
    }

    func session(_ session: MoQSession, didReceive request: IncomingSubscribeNamespace) {
        request.accept()
        request.publish(self.name.namespace)
        self.namespaceRequests.append(request)
        request.onCancelled = { [weak self, weak request] in
            self?.namespaceRequests.removeAll { $0 === request }
        }
    }

    func session(_ session: MoQSession, didReceiveGoaway uri: String?, timeout: Duration?) {
        self.events(.goingAway)
    }

    func session(_ session: MoQSession, didClose closure: MoQSessionClosure) {
        self.publication = nil
        self.namespaceRequests = []
        self.events(.closed(closure))
    }
}
