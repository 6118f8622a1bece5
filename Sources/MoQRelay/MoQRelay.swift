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
/// 2. otherwise the longest announced namespace that the track's namespace begins with decides, and of several
///    publishers of that namespace the one that announced it last: it gets one SUBSCRIBE, however many subscribers come.
///    If it refuses or does not answer, the next one is asked, up to
///    ``MoQRelayConfiguration/maximumPublishersPerTrack`` of them;
/// 3. otherwise the answer is DOES_NOT_EXIST, at once, unless the subscriber is willing to wait for a publisher
///    (RENDEZVOUS_TIMEOUT, from draft 18 on): then it is asked as soon as it announces the namespace or offers the track.
///
/// A publisher is asked for a track by one subscription at a time. Draft 18 (§9.5) would have a relay subscribe to all
/// publishers of a namespace and drop duplicate objects; here the others stand by.
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
    /// Namespace subscriptions by prefix.
    var namespaceFeeds = NamespaceTree<[NamespaceFeed]>()
    /// Every known track.
    var tracks: [FullTrackName: TrackForwarder] = [:]
    /// The tracks that were offered with PUBLISH, by namespace and name.
    var publishedTracks = TrackTree()
    /// The tracks that nobody publishes and that subscribers wait for, by namespace and name.
    var awaitedTracks = TrackTree()
    /// What is remembered of the tracks.
    let cache: ObjectCache
    /// The relay's own fetches, by track.
    var fills: [FullTrackName: [FetchFill]] = [:]

    private var drainTimer: LoopTimer?
    private var drainCompletion: (() -> Void)?

    /// Makes a relay without sessions.
    public init(loop: PacketLoop, configuration: MoQRelayConfiguration = MoQRelayConfiguration()) {
        self.loop = loop
        self.ledger = RelayLedger(loop: loop, configuration: configuration)
        self.announcements = NamespaceTree(maximumCount: configuration.maximumNamespaces)
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

    /// Shuts the relay down in order. (loop)
    ///
    /// Every session is sent GOAWAY; requests that arrive from now on are refused, what stands goes on. When every
    /// session is gone, or after `timeout`, when the remaining ones are closed (with GOAWAY_TIMEOUT where something was
    /// going on, draft-18 §10.4), `completion` is called, once, on the loop.
    public func drain(timeout: Duration, completion: (() -> Void)? = nil) {
        let earlier = self.drainCompletion
        self.drainCompletion = {
            earlier?()
            completion?()
        }
        guard !self.isDraining || self.peers.isEmpty else {
            return
        }
        self.isDraining = true
        for peer in self.peers.values {
            peer.session.sendGoaway(newSessionURI: nil, timeout: timeout)
        }
        guard !self.peers.isEmpty else {
            self.finishDraining()
            return
        }
        self.drainTimer = self.loop.schedule(after: timeout) { [weak self] in
            self?.drainDeadlinePassed()
        }
    }

    /// Closes every session at once. (loop)
    public func close(_ code: SessionErrorCode = .noError, reason: String = "") {
        for peer in Array(self.peers.values) {
            peer.session.close(code, reason: reason)
        }
    }

    /// How long the drain still lasts; nil when none is under way.
    var timeToDrain: Duration? {
        self.drainTimer.map { self.loop.now.duration(to: $0.deadline) }
    }

    private func drainDeadlinePassed() {
        for peer in Array(self.peers.values) {
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
        completion?()
    }

    // MARK: Sessions

    private var hasRoom: Bool {
        !self.isDraining && self.peers.count < self.configuration.maximumSessions
    }

    @discardableResult
    private func register(_ session: MoQSession) -> RelayPeer {
        let peer = RelayPeer(session: session)
        self.peers[ObjectIdentifier(session)] = peer
        self.ledger.counters.sessions &+= 1
        self.ledger.counters.live.sessions += 1
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

    func remove(_ session: MoQSession) {
        guard let peer = self.peers.removeValue(forKey: ObjectIdentifier(session)) else {
            return
        }
        peer.isClosed = true
        self.ledger.counters.live.sessions -= 1
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
        if self.isDraining, self.peers.isEmpty {
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
        case .offered:
            break
        }
    }
}
