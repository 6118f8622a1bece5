// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire

/// Fetches and questions about tracks, and what the relay remembers for them.
extension MoQRelay {
    /// How many fetches of another shard may be open: each may hold what its windows hold.
    static let maximumFetchesPerSibling = 2_000

    /// `isSecondLook` says that the request was put off once already, see ``lookAgain(for:_:)``.
    func fetch(_ request: IncomingFetch, from peer: RelayPeer, isSecondLook: Bool = false) {
        guard !Self.isForbidden(request.track.namespace) else {
            self.ledger.counters.tracksNotFound &+= 1
            request.reject(.doesNotExist, reason: "the namespace is reserved")
            return
        }
        let limit = self.ledger.limit(peer, \.maximumFetchesPerSession, Self.maximumFetchesPerSibling)
        guard peer.fetches.count < limit else {
            self.ledger.counters.requestsOverLimit &+= 1
            request.reject(.excessiveLoad, reason: "too many fetches")
            return
        }
        if !isSecondLook, self.mayHearMore(for: peer), self.sources(of: request.track, within: peer.reach).isEmpty {
            self.lookAgain(for: peer) { relay in
                if request.isPending {
                    relay.fetch(request, from: peer, isSecondLook: true)
                }
            }
            return
        }
        let fetch = RelayFetch(request, owner: peer, relay: self)
        peer.fetches[ObjectIdentifier(fetch)] = fetch
        fetch.begin()
    }

    /// Answers as a SUBSCRIBE would be answered: from the track where it is being received, and else with what the publisher
    /// says (draft-18 §10.14).
    func trackStatus(_ request: IncomingTrackStatus, from peer: RelayPeer, isSecondLook: Bool = false) {
        let name = request.track
        guard !Self.isForbidden(name.namespace) else {
            self.ledger.counters.tracksNotFound &+= 1
            request.reject(.doesNotExist, reason: "the namespace is reserved")
            return
        }
        if let track = self.tracks[name], track.isEstablished {
            request.accept(largest: track.largest, properties: track.properties)
            return
        }
        let key = StatusQuestion.Key(name: name, reach: peer.reach)
        if let question = self.questions[key] {
            question.ask(for: request)
            return
        }
        let sources = self.sources(of: name, within: key.reach)
        if sources.isEmpty, !isSecondLook, self.mayHearMore(for: peer) {
            self.lookAgain(for: peer) { relay in
                if request.isPending {
                    relay.trackStatus(request, from: peer, isSecondLook: true)
                }
            }
            return
        }
        guard !sources.isEmpty else {
            self.ledger.counters.tracksNotFound &+= 1
            request.reject(.doesNotExist, reason: "nobody publishes the track")
            return
        }
        let question = StatusQuestion(key, sources: sources, relay: self)
        self.questions[key] = question
        question.ask(for: request)
    }

    /// Who is asked first for what is not known of a track.
    func source(of name: FullTrackName) -> RelayPeer? {
        self.sources(of: name, within: .everything).first
    }

    /// Who can be asked for what is not known of a track, in this order: those that it comes from, those that announced its
    /// namespace, and the upstream relays, as far as they may be.
    func sources(of name: FullTrackName, within reach: Reach) -> [RelayPeer] {
        let feeds = (self.tracks[name]?.upstreams ?? []).filter { $0.state == .established }
        var found = feeds.reversed().map(\.owner).filter { !$0.isClosed && reach.includes($0) }
        let announcers = self.announcers(of: name.namespace, within: reach)
        for peer in announcers + self.lastSources(of: name.namespace, within: reach)
        where !found.contains(where: { $0 === peer }) {
            found.append(peer)
        }
        return found
    }

    /// A fetch of the relay that brings everything from `first` through `end`: one that is under way where there is one, or
    /// a new one. Nil when nobody can be asked.
    func fill(
        _ name: FullTrackName,
        from first: Location,
        through end: FetchEnd,
        order: GroupOrder,
        within reach: Reach
    ) -> FetchFill? {
        // One that ends earlier does not say how far the track is.
        let underWay = self.fillUnderWay(name, covering: first, within: reach)
        if let fill = underWay, fill.end.location >= end.location {
            return fill
        }
        let fill = FetchFill(
            name,
            from: first,
            through: end,
            order: order,
            sources: self.sources(of: name, within: reach),
            reach: reach,
            relay: self
        )
        guard fill.askNext() else {
            return nil
        }
        self.ledger.counters.cacheMisses &+= 1
        self.fills[name, default: []].append(fill)
        return fill
    }

    /// A fetch of the relay that is under way and has, or will bring, everything from this location on. The one that reaches
    /// farthest.
    func fillUnderWay(
        _ name: FullTrackName,
        covering location: Location,
        within reach: Reach = .everything
    ) -> FetchFill? {
        let fills = self.fills[name] ?? []
        return fills.filter { $0.covers(location) && reach.covers($0.reach) }.max {
            $0.end.location < $1.end.location
        }
    }

    /// What a publisher answered to a fetch of the relay that is under way and reaches as far; nil when there is none.
    func answerUnderWay(for name: FullTrackName, through end: FetchEnd) -> FetchOk? {
        for fill in self.fills[name] ?? [] where fill.end.location >= end.location {
            if case .receiving(let ok) = fill.state {
                return ok
            }
        }
        return nil
    }

    /// A fetch of the relay is over.
    func fillEnded(_ fill: FetchFill) {
        guard var fills = self.fills[fill.name] else {
            return
        }
        fills.removeAll { $0 === fill }
        self.fills[fill.name] = fills.isEmpty ? nil : fills
    }

    // MARK: The cache

    /// Where the objects of a track are remembered that come from this publisher. Those of another one are forgotten: it may
    /// publish something else under the name.
    func cache(of name: FullTrackName, from source: RelayPeer) -> TrackCache? {
        guard self.cache.isEnabled, !source.isClosed else {
            return nil
        }
        let identifier = ObjectIdentifier(source)
        if let existing = self.cache.existing(name), existing.source != identifier {
            self.cache.remove(name)
        }
        let track = self.cache.track(name)
        track.source = identifier
        return track
    }

    /// What is remembered of a track and may be served: that of the publisher who would be asked.
    func readableCache(of name: FullTrackName) -> TrackCache? {
        guard let track = self.cache.existing(name) else {
            return nil
        }
        if let source = self.source(of: name), track.source != ObjectIdentifier(source) {
            return nil
        }
        return track
    }

    /// A track turned out to be malformed: nothing of it is remembered, and the fetches that are being served end.
    func forget(_ name: FullTrackName) {
        self.cache.remove(name)
        for peer in Array(self.peers.values) {
            for fetch in Array(peer.fetches.values) where fetch.name == name {
                fetch.trackIsMalformed()
            }
        }
    }

    /// A publisher is gone, and what was remembered of its tracks.
    func forgetTracks(of source: RelayPeer) {
        self.cache.removeAll(from: ObjectIdentifier(source))
    }
}
