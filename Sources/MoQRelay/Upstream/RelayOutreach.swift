// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Logging
import MoQ
import MoQWire

/// What another relay is told, and asked, on one session with it: namespaces that have publishers here, and prefixes that are
/// followed here. (loop)
final class RelayOutreach {
    /// The session.
    let peer: RelayPeer

    private weak var relay: MoQRelay?
    private let name: String
    /// The namespaces that the other relay was told of.
    private var publications: [TrackNamespace: NamespacePublication] = [:]
    /// What it is asked about namespaces and tracks.
    private var namespaces: UpstreamDiscovery?
    private var tracks: UpstreamDiscovery?

    /// `asks` is false for a relay that tells everything by itself.
    init(to peer: RelayPeer, named name: String, of relay: MoQRelay, asks: Bool) {
        self.peer = peer
        self.name = name
        self.relay = relay
        if asks {
            self.beginDiscovery(for: relay)
        }
    }

    private func beginDiscovery(for relay: MoQRelay) {
        let session = self.peer.session
        let namespaces = UpstreamDiscovery(on: relay.loop) { prefix, events, response in
            session.subscribeNamespace(prefix, events: events, response: response)
        }
        namespaces.onChange = { [weak relay] namespace, exists in
            relay?.upstreamReported(namespace, exists: exists)
        }
        self.namespaces = namespaces
        // Where there is one request for both, two of them would overlap.
        if session.profile.hasSubscribeTracks {
            self.tracks = UpstreamDiscovery(on: relay.loop) { prefix, events, response in
                session.subscribeTracks(prefix, forward: false, events: events, response: response)
            }
        }
    }

    /// The session is over: nothing is known from there any more.
    func close() {
        self.publications = [:]
        self.namespaces?.close()
        self.tracks?.close()
    }

    /// The session is being left for another one, where the namespaces are announced again.
    func leavePublications() {
        self.publications = [:]
    }

    // MARK: Asking

    /// Somebody follows a prefix here.
    func follow(_ feed: NamespaceFeed) {
        if feed.wantsNamespaces {
            self.namespaces?.add(feed.prefix)
        }
        if feed.wantsTracks {
            self.tracks?.add(feed.prefix)
        }
    }

    /// Somebody follows a prefix no more, and is not in the relay's table under it.
    func unfollow(_ prefix: TrackNamespace, _ feed: NamespaceFeed) {
        guard let relay = self.relay else {
            return
        }
        if feed.wantsNamespaces {
            self.namespaces?.remove(prefix) { relay.isFollowed($0, where: \.wantsNamespaces) }
        }
        if feed.wantsTracks {
            self.tracks?.remove(prefix) { relay.isFollowed($0, where: \.wantsTracks) }
            relay.dropUnusedOffers(of: self.peer, under: prefix)
        }
    }

    // MARK: Telling

    /// A namespace has a publisher here.
    func announce(_ namespace: TrackNamespace) {
        guard self.publications[namespace] == nil, !self.peer.isGoingAway else {
            return
        }
        let publication = self.peer.session.publishNamespace(namespace) { [weak self] result in
            guard let self, case .failure(let error) = result, error.code != .cancelled else {
                return
            }
            self.publications[namespace] = nil
            self.relay?.log.info(
                "namespace not taken by another relay",
                metadata: ["relay": "\(self.name)", "name": "\(namespace)", "reason": "\(error)"]
            )
        }
        publication.onCancelled = { [weak self] _, _ in
            self?.publications[namespace] = nil
        }
        self.publications[namespace] = publication
    }

    /// A namespace has no publisher here any more.
    func withdraw(_ namespace: TrackNamespace) {
        self.publications.removeValue(forKey: namespace)?.withdraw()
    }
}
