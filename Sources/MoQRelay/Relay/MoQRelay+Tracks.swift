// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop

/// Tracks: who wants them and who offers them.
extension MoQRelay {
    /// `isSecondLook` says that the request was put off once already, see ``lookAgain(for:_:)``.
    func subscribe(_ request: IncomingSubscribe, from peer: RelayPeer, isSecondLook: Bool = false) {
        let name = request.request.track
        guard !Self.isForbidden(name.namespace) else {
            self.ledger.counters.tracksNotFound &+= 1
            request.reject(.doesNotExist, reason: "the namespace is reserved")
            return
        }
        if let upstream = self.upstreams.first(where: { $0.isChecking(by: name) }) {
            request.reject(.doesNotExist, reason: "the request came back to where it began")
            upstream.cameAround()
            return
        }
        guard peer.subscriptions[name] == nil else {
            request.reject(.duplicateSubscription, reason: "the session is subscribed to the track")
            return
        }
        guard peer.subscriptions.count < self.maximumSubscriptions(of: peer) else {
            self.ledger.counters.requestsOverLimit &+= 1
            request.reject(.excessiveLoad, reason: "too many subscriptions")
            return
        }
        let known = self.tracks[name]
        let publishers =
            known == nil
            ? self.publishers(of: name, within: peer.reach, limit: self.ledger.maximumPublishersPerTrack) : []
        if known?.isAwaitingPublisher ?? publishers.isEmpty, !isSecondLook, self.mayHearMore(for: peer) {
            self.lookAgain(for: peer) { relay in
                if request.isPending {
                    relay.subscribe(request, from: peer, isSecondLook: true)
                }
            }
            return
        }
        if let track = known {
            track.subscribe(request, from: peer)
            track.turnSiblingsAway()
            return
        }
        guard !publishers.isEmpty else {
            self.awaitPublisher(request, from: peer)
            return
        }
        guard let track = self.makeTrack(name) else {
            request.reject(.excessiveLoad, reason: "too many tracks")
            return
        }
        track.subscribe(request, from: peer)
        for publisher in publishers {
            track.ask(publisher)
        }
    }

    private func maximumSubscriptions(of peer: RelayPeer) -> Int {
        self.ledger.limit(peer, \.maximumSubscriptionsPerSession, self.configuration.maximumTracks)
    }

    // MARK: Waiting for a publisher

    /// Holds a SUBSCRIBE for a track that nobody publishes, as long as the subscriber wants (draft-18 §10.2.6).
    private func awaitPublisher(_ request: IncomingSubscribe, from peer: RelayPeer) {
        let name = request.request.track
        guard self.rendezvousTime(of: request) != nil, !self.isDraining else {
            self.ledger.counters.tracksNotFound &+= 1
            request.reject(.doesNotExist, reason: "nobody publishes the track")
            return
        }
        guard let track = self.makeTrack(name) else {
            request.reject(.excessiveLoad, reason: "too many tracks")
            return
        }
        track.isAwaitingPublisher = true
        track.subscribe(request, from: peer)
        track.settle()
    }

    /// How long a SUBSCRIBE may wait for a publisher; nil when it is to be answered at once.
    func rendezvousTime(of request: IncomingSubscribe) -> Duration? {
        let limit = self.configuration.maximumRendezvousTime
        guard let wanted = request.request.parameters.rendezvousTimeout, wanted > 0, limit > .zero else {
            return nil
        }
        return min(.milliseconds(Int64(clamping: wanted)), limit)
    }

    /// The upstream relay that can be asked to wait for a publisher of the track, as far as its draft can say that; or the
    /// shard that asks one.
    func upstreamThatWaits(for name: FullTrackName, within reach: Reach) -> RelayPeer? {
        self.lastSources(of: name.namespace, within: reach).first {
            $0.session.profile.parameters.contains { $0.name == .rendezvousTimeout } && $0.upstreams[name] == nil
        }
    }

    /// A namespace was announced: its publisher is asked for the tracks in it that subscribers have or wait for; an upstream
    /// relay for those alone that nobody has.
    func publisherAppeared(_ peer: RelayPeer, in namespace: TrackNamespace) {
        for track in self.tracksByNamespace.all(under: namespace)
        where track.reach.includes(peer) && (!peer.isUpstream || track.isAwaitingPublisher) {
            track.publisherAppeared(peer)
        }
    }

    func publish(_ request: IncomingPublish, from peer: RelayPeer) {
        let name = request.request.track
        guard !Self.isForbidden(name.namespace) else {
            request.reject(.doesNotExist, reason: "the namespace is reserved")
            return
        }
        guard !peer.isUpstream || self.wants(name, offeredBy: peer) else {
            request.reject(.uninterested, reason: "nobody asked for the track, or it is published here")
            return
        }
        guard !peer.isSibling || !self.contradictions.contains(name, at: self.loop.now) else {
            // The shard would offer it again and again.
            request.reject(.uninterested, reason: "its publishers contradicted each other here")
            return
        }
        guard let track = self.tracks[name] ?? self.makeTrack(name) else {
            request.reject(.excessiveLoad, reason: "too many tracks")
            return
        }
        track.offered(request, by: peer)
        // A track that was made for an offer which was refused has nothing to live for.
        track.settle()
    }

    /// Whether a track that an upstream relay offers is wanted here: somebody asked for it or for the tracks of its namespace,
    /// and it does not come from here.
    private func wants(_ name: FullTrackName, offeredBy peer: RelayPeer) -> Bool {
        let track = self.tracks[name]
        guard peer.subscriptions[name] == nil, track?.upstreams.contains(where: { !$0.owner.isUpstream }) != true else {
            return false
        }
        return track != nil || self.isAskedForTracks(of: name.namespace)
    }

    /// Whether a client asked for the tracks of the namespace.
    func isAskedForTracks(of namespace: TrackNamespace) -> Bool {
        self.namespaceFeeds.prefixes(of: namespace).contains { _, feeds in
            feeds.contains { $0.wantsTracks && !$0.owner.isUpstream }
        }
    }

    /// Lets go of the tracks that an upstream relay offered, itself or over another shard, because somebody followed a prefix,
    /// and that nobody wants any more.
    ///
    /// The shard over which upstream relays are reached then offers again what its own clients publish. Another shard offers
    /// nothing else.
    func dropUnusedOffers(of peer: RelayPeer, under prefix: TrackNamespace) {
        guard peer.isUpstream || peer.sibling?.isGateway == true else {
            return
        }
        for (name, feed) in peer.upstreams
        where feed.origin == .published && name.namespace.hasPrefix(prefix)
            && !self.isAskedForTracks(of: name.namespace)
        {
            if let track = self.tracks[name], track.waiting.isEmpty,
                track.subscribers.allSatisfy({ $0.isSibling && !$0.publisher.forward })
            {
                track.drop(feed)
                track.settle()
            }
        }
    }

    /// Files a track under its namespace, and offers it to who asked for the tracks of the namespace.
    func trackPublished(_ track: TrackForwarder) {
        self.publishedTracks.insert(track)
        for (_, feeds) in self.namespaceFeeds.prefixes(of: track.name.namespace) {
            for feed in feeds where feed.wantsTracks {
                self.offer(track, to: feed)
            }
        }
        for upstream in self.upstreams {
            if let peer = upstream.source(of: track.name.namespace) {
                self.offer(track, upTo: peer)
            }
        }
        self.offerAcross(track)
    }

    /// The last publisher that offered the track is gone.
    func trackUnpublished(_ track: TrackForwarder) {
        self.publishedTracks.remove(track)
    }

    /// A forwarder has ended: from now on the name is free.
    func trackEnded(_ track: TrackForwarder) {
        if self.tracks[track.name] === track {
            self.tracks[track.name] = nil
            self.tracksByNamespace.remove(track)
        }
    }

    /// Sends PUBLISH for a track to the owner of a namespace subscription (draft-18 §10.19, draft-16 §9.25). The peer is a subscriber of
    /// the track once it accepts.
    func offer(_ track: TrackForwarder, to feed: NamespaceFeed) {
        guard !feed.request.isSubscribeTracks || feed.owner.upstreams[track.name]?.origin != .published,
            !feed.owner.isSibling || track.upstreams.contains(where: { $0.origin == .published && !$0.owner.isSibling })
        else {
            return
        }
        let name = track.name
        self.offer(track, to: feed.owner, forward: feed.forward) { [weak feed] in
            feed?.request.block(name)
        }
    }

    /// Sends PUBLISH for a track that is published here to an upstream relay, which asks for objects when it wants some.
    func offer(_ track: TrackForwarder, upTo peer: RelayPeer) {
        guard track.upstreams.contains(where: { $0.origin == .published && !$0.owner.isUpstream }) else {
            return
        }
        self.offer(track, to: peer, forward: false) {}
    }

    /// Sends PUBLISH for a track, unless the peer has it; `blocked` is called when it cannot be sent.
    func offer(
        _ track: TrackForwarder,
        to peer: RelayPeer,
        forward: Bool,
        blocked: @escaping () -> Void
    ) {
        let name = track.name
        guard peer.subscriptions[name] == nil, !peer.isGoingAway, !peer.isClosed else {
            return
        }
        guard peer.subscriptions.count < self.maximumSubscriptions(of: peer),
            track.subscribers.count < self.configuration.maximumSubscribersPerTrack
        else {
            self.ledger.counters.requestsOverLimit &+= 1
            blocked()
            return
        }
        let request = PublishRequest(
            track: name,
            forward: forward,
            largestObject: track.largest,
            properties: track.properties
        )
        var isRefused = false
        let publisher = peer.session.publish(request) { [weak self, weak peer, weak track] result in
            if case .failure(let error) = result, error.code == .streamLimit {
                blocked()
            }
            guard case .success = result, let self, let peer else {
                isRefused = true
                if let peer, case .offered(_, let timer) = peer.subscriptions[name] {
                    timer.cancel()
                    peer.subscriptions[name] = nil
                }
                return
            }
            self.offerAccepted(name, of: track, by: peer)
        }
        guard !isRefused else {
            return
        }
        let timer = self.loop.schedule(after: self.configuration.upstreamResponseTimeout) {
            [weak self, weak publisher] in
            self?.ledger.counters.offerTimeouts &+= 1
            // Which fails the offer.
            publisher?.end(.internalError, reason: "the offer was not answered")
        }
        peer.subscriptions[name] = .offered(publisher, timer)
    }

    /// A peer has accepted a track that it was offered. `offered` is what there was of it then; if that has ended meanwhile, the
    /// peer gets what others publish under the name by now, which it was not offered, or is told of the end.
    private func offerAccepted(_ name: FullTrackName, of offered: TrackForwarder?, by peer: RelayPeer) {
        guard case .offered(let publisher, let timer) = peer.subscriptions[name], !peer.isClosed else {
            return
        }
        timer.cancel()
        peer.subscriptions[name] = nil
        guard let track = self.tracks[name], track === offered || self.mayTakeOver(track, for: peer),
            !peer.isSibling || track.isEstablished(for: peer),
            track.subscribers.count < self.configuration.maximumSubscribersPerTrack
        else {
            publisher.end(.trackEnded, reason: "the track ended")
            return
        }
        track.join(publisher, owner: peer)
        track.requestGroup(publisher.parameters.newGroupRequest)
    }

    /// Whether a peer that has accepted an offer of a track which has ended can be served by the one that has its name now.
    private func mayTakeOver(_ track: TrackForwarder, for peer: RelayPeer) -> Bool {
        track.isEstablished(for: peer) && peer.upstreams[track.name] == nil
            && !(peer.isUpstream && track.comesFromAbove)
    }

    private func makeTrack(_ name: FullTrackName) -> TrackForwarder? {
        guard self.tracks.count < self.configuration.maximumTracks else {
            self.ledger.counters.requestsOverLimit &+= 1
            return nil
        }
        let track = TrackForwarder(name: name, relay: self, ledger: self.ledger)
        self.tracks[name] = track
        self.tracksByNamespace.insert(track)
        return track
    }

    /// The sessions that can be asked for a track and have not been: the publishers of all announced namespaces that its own
    /// begins with, those of longer ones first, and of each the newest first, as far as they are not about to leave; and if
    /// there is none, the first upstream relay of which the same can be said, or the shard that has some.
    func publishers(
        of name: FullTrackName,
        besides asked: Set<UInt64> = [],
        within reach: Reach,
        limit: Int
    ) -> [RelayPeer] {
        let isNew: (RelayPeer) -> Bool = { $0.upstreams[name] == nil && !asked.contains($0.number) }
        var found = self.announcers(of: name.namespace, within: reach, where: isNew)
        if found.count > limit {
            found.removeLast(found.count - limit)
        }
        if found.isEmpty, limit > 0,
            let source = self.lastSources(of: name.namespace, within: reach).first(where: isNew)
        {
            found.append(source)
        }
        return found
    }

    /// Who is asked after all publishers: the upstream relays, or the shards that have some.
    func lastSources(of namespace: TrackNamespace, within reach: Reach) -> [RelayPeer] {
        guard reach.goesUp else {
            return []
        }
        return self.upstreams.compactMap { $0.source(of: namespace) } + (reach.crosses ? self.gateways : [])
    }

    /// The publishers of all announced namespaces that this one begins with, in the order in which they are to be asked.
    func announcers(
        of namespace: TrackNamespace,
        within reach: Reach,
        where isWanted: (RelayPeer) -> Bool = { _ in true }
    ) -> [RelayPeer] {
        var found: [RelayPeer] = []
        for (_, announcements) in self.announcements.prefixes(of: namespace).reversed() {
            for owner in announcements.reversed().map(\.owner)
            where !owner.isGoingAway && owner.session.isOpen && reach.includes(owner)
                && isWanted(owner) && !found.contains(where: { $0 === owner })
            {
                found.append(owner)
            }
        }
        return found
    }

    /// An upstream relay can be asked from now on: it is told what is published here, and asked for what is waited for.
    func upstreamBecameReady(_ upstream: RelayUpstream, _ peer: RelayPeer) {
        let everything = TrackNamespace(fields: [])
        for (namespace, announcements) in self.announcements.all(under: everything) {
            if announcements.contains(where: { !$0.owner.isUpstream }) {
                upstream.announce(namespace)
            }
        }
        for track in self.publishedTracks.all(under: everything) {
            self.offer(track, upTo: peer)
        }
        for (_, feeds) in self.namespaceFeeds.all(under: everything) {
            for feed in feeds where !feed.owner.isUpstream {
                upstream.follow(feed)
            }
        }
        for track in self.tracksByNamespace.all(under: everything)
        where track.isAwaitingPublisher && track.reach.goesUp {
            track.publisherAppeared(peer)
        }
    }

    /// Whether the namespace begins with the one field that must never be used, or with the one of a session's own tracks,
    /// which a relay must not pass on and of which none are defined (draft-18 §2.4.2 and §2.4.3).
    static func isForbidden(_ namespace: TrackNamespace) -> Bool {
        guard let first = namespace.fields.first else {
            return false
        }
        return first == [UInt8(ascii: ".")] || first == Array(".session".utf8)
    }
}
