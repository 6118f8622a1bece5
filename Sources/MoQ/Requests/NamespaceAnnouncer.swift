// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import DequeModule
import MoQWire

/// Reports namespaces to a peer that asked for them, in a draft that has no message for it but PUBLISH_NAMESPACE
/// (draft-14 §6.1, "Subscribing to Namespaces"). Loop only, one for each session.
///
/// Each report is a request of ours and takes an id until the namespace is withdrawn. Only a few wait for their answers at
/// a time, so that a long list neither fills the queue of requests nor the control stream; the rest stands here, and is no
/// longer than the list of namespaces itself.
final class NamespaceAnnouncer {
    /// How many announcements may wait for their answers.
    static let window = 16

    private let session: MoQSession
    /// What is announced next, in order. What is not in ``pending`` any more is passed over.
    private var order: Deque<TrackNamespace> = []
    private var pending: Set<TrackNamespace> = []
    private var publications: [TrackNamespace: NamespacePublication] = [:]
    private var unanswered = 0

    init(session: MoQSession) {
        self.session = session
    }

    /// A namespace exists.
    func announce(_ namespace: TrackNamespace) {
        guard self.publications[namespace] == nil, self.pending.insert(namespace).inserted else {
            return
        }
        if self.order.count > 2 * self.pending.count + Self.window {
            self.order.removeAll { !self.pending.contains($0) || $0 == namespace }
        }
        self.order.append(namespace)
        self.advance()
    }

    /// A namespace is gone.
    func withdraw(_ namespace: TrackNamespace) {
        self.pending.remove(namespace)
        self.publications.removeValue(forKey: namespace)?.withdraw()
    }

    /// The peer is told that all namespaces with this prefix are gone.
    func withdrawAll(under prefix: TrackNamespace) {
        for publication in self.takeAll(under: prefix) {
            publication.withdraw()
        }
    }

    /// The peer does not want to hear of the namespaces with this prefix any more.
    func forgetAll(under prefix: TrackNamespace) {
        for publication in self.takeAll(under: prefix) {
            publication.forget()
        }
    }

    private func takeAll(under prefix: TrackNamespace) -> [NamespacePublication] {
        self.pending = self.pending.filter { !$0.hasPrefix(prefix) }
        let taken = self.publications.filter { $0.key.hasPrefix(prefix) }
        for namespace in taken.keys {
            self.publications[namespace] = nil
        }
        return Array(taken.values)
    }

    private func advance() {
        while self.unanswered < Self.window, self.session.isOpen, !self.session.isGoingAway,
            let namespace = self.order.popFirst()
        {
            guard self.pending.remove(namespace) != nil else {
                continue
            }
            self.unanswered += 1
            let publication = NamespacePublication(session: self.session, namespace: namespace, tokens: []) {
                [weak self] result in
                self?.answered(namespace, result)
            }
            // The peer asked for the report: it does not fail because requests of the application fill the queue.
            self.session.launch(publication, beyondLimit: Self.window)
            publication.onCancelled = { [weak self] _, _ in
                self?.publications[namespace] = nil
            }
            self.publications[namespace] = publication
        }
    }

    private func answered(_ namespace: TrackNamespace, _ result: Result<Void, MoQError>) {
        self.unanswered -= 1
        // A withdrawn one fails as well, and another may stand in its place already.
        if case .failure = result, self.publications[namespace]?.isEnded == true {
            self.publications[namespace] = nil
        }
        self.advance()
    }
}

extension MoQSession {
    /// Reports a namespace to the peer with a PUBLISH_NAMESPACE.
    func announce(_ namespace: TrackNamespace) {
        let announcer = self.announcer ?? NamespaceAnnouncer(session: self)
        self.announcer = announcer
        // What was announced to the peer without being asked for is not said again.
        if self.announcements[self.role]?[namespace] == nil {
            announcer.announce(namespace)
        }
    }
}
