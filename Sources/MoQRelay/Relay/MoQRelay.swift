// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Logging
public import MoQ
public import MoQWire
public import PacketLoop
public import WebTransport

/// Brings publishers and subscribers together (draft-18 §9, "Relays"). (loop)
///
/// The relay is the handler of all its sessions, which share one loop, whatever drafts they speak. It is made, used and
/// released on that loop.
///
/// Who gets a SUBSCRIBE is decided in this order:
/// 1. a track that is being forwarded, or that was offered with PUBLISH, is joined;
/// 2. otherwise all publishers are asked that announced a namespace which the track's namespace begins with, those of longer
///    namespaces and those that announced last before others, up to ``MoQRelayConfiguration/maximumPublishersPerTrack`` of
///    them: each gets one SUBSCRIBE, however many subscribers come. The first that accepts is enough for the answer;
/// 3. otherwise, and when none of these has the track, the upstream relays are asked, if there are any, in the order in
///    which they were added, unless the SUBSCRIBE came from one of them (see ``addUpstream(name:session:backoff:onEvent:dial:)``);
/// 4. otherwise the answer is DOES_NOT_EXIST, at once, unless the subscriber is willing to wait for a publisher
///    (RENDEZVOUS_TIMEOUT, from draft 18 on): then it is asked as soon as it announces the namespace or offers the track.
///
/// What several publishers of a track send is made one: each object is passed on once, from whoever brings it first, and when
/// a publisher goes the others go on where it stopped, to the byte (draft-18 §9.3, "Multiple Publishers"). Publishers that do
/// not agree make the track malformed. A publisher that announces the namespace of a track that has subscribers is asked
/// for it, too.
///
/// Several relays, each on a loop of its own, can be made one (``RelayShards``). Each counts then as a publisher of what its
/// own clients and upstream relays bring, to the clients and upstream relays of the others.
///
/// Objects that were forwarded are remembered for a while, within bounds. A subscription begins with what is live; a FETCH is
/// answered from memory and completed from the publisher. What is remembered of a track is forgotten with its publisher.
public final class MoQRelay {
    /// The loop that the relay lives on.
    public let loop: PacketLoop
    /// The limits that the relay was made with.
    public var configuration: MoQRelayConfiguration {
        self.ledger.configuration
    }
    /// What the relay has in hand and what it has done. (loop)
    public var counters: MoQRelayCounters {
        var counters = self.ledger.counters
        counters.cachedBytes = self.cache.cost
        counters.cacheEvictions = self.cache.evictions
        return counters
    }
    /// Whether the relay is being shut down: GOAWAY went out, and new requests are refused.
    public private(set) var isDraining = false

    /// What happens to sessions and requests; nothing is logged for an object.
    let log = Logger(label: "moq.relay")
    let ledger: RelayLedger
    var peers: [ObjectIdentifier: RelayPeer] = [:]
    /// Announced namespaces with their publishers, the newest last.
    var announcements: NamespaceTree<[Announcement]>
    /// The namespaces that upstream relays report, with the number of reports.
    var remoteNamespaces: NamespaceTree<Int>
    /// Namespace subscriptions by prefix.
    var namespaceFeeds = NamespaceTree<[NamespaceFeed]>()
    /// Every known track.
    var tracks: [FullTrackName: TrackForwarder] = [:]
    /// The same, by namespace and name.
    var tracksByNamespace = TrackTree()
    /// The tracks that were offered with PUBLISH, by namespace and name.
    var publishedTracks = TrackTree()
    /// The tracks whose publishers have contradicted each other.
    var contradictions = RecentContradictions()
    /// What is remembered of the tracks.
    let cache: ObjectCache
    /// The relay's own fetches, by track.
    var fills: [FullTrackName: [FetchFill]] = [:]

    /// The relays that are asked for what nobody here publishes, the one to be asked first at the front.
    private(set) var upstreams: [RelayUpstream] = []

    /// The questions about tracks that publishers have not answered.
    var questions: [StatusQuestion.Key: StatusQuestion] = [:]

    /// The other shards of this relay.
    var siblings: [RelaySibling] = []

    /// Called when the session with another shard ends although nobody has drained or closed this one: some tracks and
    /// namespaces are gone, and the relay as a whole does not work any more. (loop)
    public var onShardLost: ((_ reason: String) -> Void)?

    private var drainTimer: LoopTimer?
    private var drainCompletion: (() -> Void)?
    private var isClosing = false
    /// How many of the sessions are not of clients, but with upstream relays and other shards.
    private var relaySessionCount = 0
    private var nextPeerNumber: UInt64 = 0

    /// Makes a relay without sessions.
    public init(loop: PacketLoop, configuration: MoQRelayConfiguration = MoQRelayConfiguration()) {
        self.loop = loop
        self.ledger = RelayLedger(loop: loop, configuration: configuration)
        self.announcements = NamespaceTree(maximumCount: configuration.maximumNamespaces)
        self.remoteNamespaces = NamespaceTree(maximumCount: configuration.maximumNamespaces)
        self.cache = ObjectCache(
            maximumCost: configuration.maximumCachedBytes,
            maximumGroups: configuration.maximumCachedGroupsPerTrack,
            maximumAge: configuration.maximumCacheAge
        )
    }

    /// Takes a connection: makes its session, with the relay as handler, and starts it. (loop)
    ///
    /// - Returns: the session, which the relay keeps until it closes; nil when the connection was closed at once,
    ///   because there are too many sessions or the relay drains.
    @discardableResult
    public func accept(_ transport: any WebTransportSession, profile: DraftProfile) -> MoQSession? {
        guard self.hasRoom else {
            self.ledger.counters.sessionsRefused &+= 1
            self.log.info("session refused", metadata: ["peer": "\(transport.peerAddress)"])
            transport.close(
                code: SessionErrorCode.internalError.wireValue(in: profile),
                reason: self.isDraining ? "going away" : "too many sessions"
            )
            return nil
        }
        let session = MoQSession(
            transport: transport,
            loop: self.loop,
            profile: profile,
            configuration: self.configuration.session,
            handler: self
        )
        self.register(session)
        session.start()
        return session
    }

    /// Adds a relay to ask for what nobody here publishes, and begins to connect to it. (loop)
    ///
    /// It is asked with one subscription for any number of subscribers, and with FETCH and TRACK_STATUS, as a publisher
    /// would be. It is told of every namespace that is announced here and of every track that is offered here, so that its
    /// own subscribers find them. What it asks for is looked for among the publishers of this relay alone: requests go up
    /// and then down, and never up again.
    ///
    /// SUBSCRIBE_NAMESPACE and SUBSCRIBE_TRACKS are answered with what is published here and what the upstream relay reports
    /// and offers; it is asked for the shortest of the prefixes that are followed here (and for tracks if its draft has
    /// SUBSCRIBE_TRACKS). Who is willing to wait for a track that nobody has, waits for a publisher here or there.
    ///
    /// When it sends GOAWAY with a URI, a second session is made with that (see ``RelayUpstream/redirect``), the tracks that
    /// come from the old one are asked for there, and the old one is closed when nothing comes from it any more.
    ///
    /// Before it is asked, it is checked that it does not lead back here (see ``RelayUpstream/Event/circular(retryAfter:)``).
    ///
    /// A connection that cannot be had or is lost is tried again for as long as the relay lives and does not drain. Meanwhile
    /// requests are answered as if there were no upstream relay. The subscribers of a track that came from it are told what
    /// they are told of any publisher that vanishes, unless somebody else has the track.
    ///
    /// - Parameters:
    ///   - name: what it is called in reasons and logs.
    ///   - session: what the sessions with it are configured with.
    ///   - backoff: how long to wait before it is tried again.
    ///   - onEvent: called with everything that happens, on the loop. Must not call back.
    ///   - dial: makes one attempt to connect: see ``RelayUpstream``.
    @discardableResult
    public func addUpstream(
        name: String,
        session: MoQSessionConfiguration = MoQSessionConfiguration(),
        backoff: ReconnectBackoff = ReconnectBackoff(),
        onEvent: ((RelayUpstream.Event) -> Void)? = nil,
        dial: @escaping (RelayUpstream) -> Void
    ) -> RelayUpstream {
        let upstream = RelayUpstream(name: name, relay: self, session: session, backoff: backoff, dial: dial)
        upstream.onEvent = onEvent
        self.upstreams.append(upstream)
        if !self.isDraining {
            upstream.start()
        }
        return upstream
    }

    /// Shuts the relay down in order. (loop)
    ///
    /// Every session is sent GOAWAY; requests that arrive from now on are refused, what stands goes on. When every
    /// session with a client is gone, which ends those with upstream relays, or after `timeout`, when the remaining ones are
    /// closed (with GOAWAY_TIMEOUT where something was going on, draft-18 §10.4), `completion` is called, once, on the loop.
    /// Where there are other shards, those with them and with upstream relays are left to ``close(_:reason:)``.
    public func drain(timeout: Duration, completion: (() -> Void)? = nil) {
        let earlier = self.drainCompletion
        self.drainCompletion = {
            earlier?()
            completion?()
        }
        guard !self.isDraining || self.hasNoClients else {
            return
        }
        self.isDraining = true
        for upstream in self.upstreams {
            upstream.stop()
        }
        for track in Array(self.tracks.values) {
            track.stopAwaitingPublisher()
        }
        for peer in self.peers.values {
            peer.session.sendGoaway(newSessionURI: nil, timeout: timeout)
        }
        guard !self.hasNoClients else {
            self.finishDraining()
            return
        }
        self.drainTimer = self.loop.schedule(after: timeout) { [weak self] in
            self?.drainDeadlinePassed()
        }
    }

    /// Closes every session at once, and connects to no upstream relay any more. (loop)
    public func close(_ code: SessionErrorCode = .noError, reason: String = "") {
        self.isClosing = true
        for upstream in self.upstreams {
            upstream.stop()
        }
        for peer in Array(self.peers.values) {
            peer.session.close(code, reason: reason)
        }
    }

    /// How long the drain still lasts; nil when none is under way.
    var timeToDrain: Duration? {
        self.drainTimer.map { self.loop.now.duration(to: $0.deadline) }
    }

    private func drainDeadlinePassed() {
        for peer in Array(self.peers.values) where !self.isShared(peer) {
            if peer.isIdle {
                peer.session.close(.noError, reason: "the relay is going away")
            } else {
                peer.session.close(.goawayTimeout, reason: "the session was still in use after GOAWAY")
            }
        }
        self.finishDraining()
    }

    private func finishDraining() {
        self.drainTimer?.cancel()
        self.drainTimer = nil
        let completion = self.drainCompletion
        self.drainCompletion = nil
        for peer in Array(self.peers.values) where peer.isUpstream && !self.isShared(peer) {
            peer.session.close(.noError, reason: "the relay is going away")
        }
        completion?()
    }

    /// Whether other shards may still need the session after this one has drained.
    private func isShared(_ peer: RelayPeer) -> Bool {
        !peer.isClient && !self.siblings.isEmpty
    }

    // MARK: Sessions

    private var hasRoom: Bool {
        !self.isDraining && self.peers.count - self.relaySessionCount < self.configuration.maximumSessions
    }

    private var hasNoClients: Bool {
        self.peers.count == self.relaySessionCount
    }

    /// Registers a session: of a client, or with another relay, for which there is always room.
    @discardableResult
    func register(_ session: MoQSession, as role: RelayPeer.Role = .client) -> RelayPeer {
        let peer = RelayPeer(session: session, number: self.nextPeerNumber, role: role)
        self.nextPeerNumber &+= 1
        if !peer.isClient {
            self.relaySessionCount += 1
        }
        self.peers[ObjectIdentifier(session)] = peer
        if !peer.isSibling {
            self.ledger.counters.sessions &+= 1
            self.ledger.counters.live.sessions += 1
        }
        return peer
    }

    /// The record of a session. A session that was made elsewhere gets its record with its first event; nil when there
    /// is no room for it, and then it is closed.
    func peer(for session: MoQSession) -> RelayPeer? {
        if let peer = self.peers[ObjectIdentifier(session)] {
            return peer
        }
        guard self.hasRoom else {
            self.ledger.counters.sessionsRefused &+= 1
            session.close(.internalError, reason: self.isDraining ? "going away" : "too many sessions")
            return nil
        }
        return self.register(session)
    }

    func remove(_ session: MoQSession, reason: String) {
        guard let peer = self.peers.removeValue(forKey: ObjectIdentifier(session)) else {
            return
        }
        peer.isClosed = true
        if !peer.isClient {
            self.relaySessionCount -= 1
        }
        if !peer.isSibling {
            self.ledger.counters.live.sessions -= 1
        }
        for feed in peer.namespaceFeeds {
            self.removeFromTree(feed)
        }
        peer.namespaceFeeds = []
        for announcement in peer.announcements {
            self.removeFromTree(announcement)
        }
        peer.announcements = []
        let subscriptions = peer.subscriptions
        for (name, subscribing) in subscriptions {
            self.end(subscribing, of: name)
        }
        peer.subscriptions = [:]
        for feed in Array(peer.upstreams.values) {
            feed.trackEnded(TrackEnd(cause: .sessionClosed, status: .internalError, reason: "the publisher is gone"))
        }
        peer.upstreams = [:]
        self.forgetTracks(of: peer)
        peer.upstream?.sessionDidClose(of: peer, reason)
        if let sibling = peer.sibling {
            sibling.sessionDidClose()
            if !self.isDraining, !self.isClosing {
                self.log.error("lost a shard", metadata: ["shard": "\(sibling.index)", "reason": "\(reason)"])
                self.onShardLost?(reason)
            }
        }
        if self.isDraining, self.hasNoClients {
            self.finishDraining()
        }
    }

    private func end(_ subscribing: RelayPeer.Subscribing, of name: FullTrackName) {
        switch subscribing {
        case .waiting(let subscriber):
            if let track = self.tracks[name] {
                track.removeWaiting(subscriber)
                track.settle()
            }
        case .joined(let subscriber):
            if let track = subscriber.forwarder {
                track.remove(subscriber)
                track.settle()
            }
        case .offered(_, let timer):
            timer.cancel()
        }
    }
}
