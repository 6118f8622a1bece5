// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What a relay has in hand (``live``) and what it has done since it was made (everything else).
public struct MoQRelayCounters: Hashable, Sendable {
    /// What exists at the moment. All of it is zero when every session is gone.
    public struct Live: Hashable, Sendable {
        /// Open sessions, those with upstream relays included, those with other shards of the relay not.
        public var sessions = 0
        /// Announcements (PUBLISH_NAMESPACE), counted per session that made them.
        public var namespaces = 0
        /// Tracks that are known; of a relay with several shards, once at each that knows them.
        public var tracks = 0
        /// Subscriptions to publishers, pending ones included.
        public var upstreams = 0
        /// Subscriptions of subscribers to whom objects are forwarded.
        public var subscribers = 0
        /// Subscriptions of subscribers that wait for a publisher, or for its answer.
        public var pendingSubscribers = 0
        /// Namespace subscriptions (SUBSCRIBE_NAMESPACE).
        public var namespaceSubscriptions = 0
        /// Subgroup streams that are being forwarded.
        public var subgroups = 0
        /// Fetches of subscribers that are not complete.
        public var fetches = 0
        /// Fetches of the relay from publishers.
        public var upstreamFetches = 0
        /// Tracks whose publisher is held back because every subscriber lags.
        public var pausedTracks = 0

        /// Nothing at all.
        public init() {}

        /// Adds what exists at another shard of the relay.
        public mutating func add(_ other: Live) {
            self.sessions += other.sessions
            self.namespaces += other.namespaces
            self.tracks += other.tracks
            self.upstreams += other.upstreams
            self.subscribers += other.subscribers
            self.pendingSubscribers += other.pendingSubscribers
            self.namespaceSubscriptions += other.namespaceSubscriptions
            self.subgroups += other.subgroups
            self.fetches += other.fetches
            self.upstreamFetches += other.upstreamFetches
            self.pausedTracks += other.pausedTracks
        }
    }

    /// What exists at the moment.
    public var live = Live()

    /// Sessions that were accepted.
    public var sessions: UInt64 = 0
    /// Announcements that were accepted.
    public var namespaces: UInt64 = 0
    /// Subscriptions made to publishers with SUBSCRIBE.
    public var upstreamSubscribes: UInt64 = 0
    /// Tracks taken from publishers with PUBLISH.
    public var upstreamPublishes: UInt64 = 0
    /// Subscribers that were joined to a track.
    public var subscribers: UInt64 = 0
    /// Namespace subscriptions that were accepted.
    public var namespaceSubscriptions: UInt64 = 0

    /// Fetches of subscribers.
    public var fetches: UInt64 = 0
    /// Fetches made from publishers.
    public var upstreamFetches: UInt64 = 0
    /// What the remembered objects count at the moment: payload, properties and a share for the bookkeeping.
    public var cachedBytes = 0
    /// Objects of fetches that were served from memory.
    public var cacheHits: UInt64 = 0
    /// Ranges of fetches that were not in memory, so that a publisher was asked for them.
    public var cacheMisses: UInt64 = 0
    /// Groups thrown out of memory for want of room.
    public var cacheEvictions: UInt64 = 0
    /// Ranges of fetches that were reported as unknown.
    public var fetchGapsUnknown: UInt64 = 0

    /// Objects that arrived, once each; what several publishers bring counts once.
    public var objectsIn: UInt64 = 0
    /// Payload bytes that arrived.
    public var bytesIn: UInt64 = 0
    /// Objects that were handed to subscribers, once for each of them.
    public var objectsOut: UInt64 = 0
    /// Payload bytes that were handed to subscribers.
    public var bytesOut: UInt64 = 0

    /// Objects that were handed to other shards of the relay, once for each of them. They count neither as going out nor,
    /// there, as arriving.
    public var objectsCrossed: UInt64 = 0
    /// Payload bytes that were handed to other shards.
    public var bytesCrossed: UInt64 = 0

    /// Objects that came again, from another publisher of the track, and were not passed on.
    public var objectsDuplicate: UInt64 = 0
    /// Tracks that were ended because their publishers did not agree.
    public var tracksContradicted: UInt64 = 0
    /// Objects that nobody wanted: no subscriber's filter let them through.
    public var objectsWithoutSubscriber: UInt64 = 0
    /// Subgroup streams that ended early for one subscriber, because its filter or its forward state said so.
    public var subgroupsCutShort: UInt64 = 0
    /// Subscribers that were cut off because they were too far behind.
    public var subscribersCutOff: UInt64 = 0
    /// How often a publisher was held back because every subscriber lagged.
    public var pauses: UInt64 = 0
    /// How often it was let go on.
    public var resumes: UInt64 = 0

    /// Sessions closed at once, for want of room or during a drain.
    public var sessionsRefused: UInt64 = 0
    /// Requests refused because of a limit of ``MoQRelayConfiguration``.
    public var requestsOverLimit: UInt64 = 0
    /// Subscriptions to tracks that nobody publishes.
    public var tracksNotFound: UInt64 = 0
    /// Subscriptions that waited for a publisher in vain.
    public var rendezvousTimeouts: UInt64 = 0
    /// Publishers that did not answer a SUBSCRIBE, a FETCH or a TRACK_STATUS in time.
    public var upstreamTimeouts: UInt64 = 0

    /// Offers with PUBLISH that were taken back because they were not answered in time.
    public var offerTimeouts: UInt64 = 0

    /// How often an upstream relay could be asked again, or for the first time.
    public var upstreamConnects: UInt64 = 0
    /// Attempts to connect to an upstream relay that failed, and sessions with one that were lost.
    public var upstreamFailures: UInt64 = 0
    /// Sessions with upstream relays that were given up because they lead back to this relay.
    public var upstreamLoops: UInt64 = 0

    /// Nothing done yet.
    public init() {}

    mutating func countIn(objects: UInt64 = 0, bytes: UInt64 = 0) {
        self.objectsIn &+= objects
        self.bytesIn &+= bytes
    }

    mutating func countOut(objects: UInt64 = 0, bytes: UInt64 = 0) {
        self.objectsOut &+= objects
        self.bytesOut &+= bytes
    }

    mutating func countCrossed(objects: UInt64 = 0, bytes: UInt64 = 0) {
        self.objectsCrossed &+= objects
        self.bytesCrossed &+= bytes
    }

    /// Adds what another shard of the relay has in hand and has done.
    public mutating func add(_ other: MoQRelayCounters) {
        self.live.add(other.live)
        self.sessions &+= other.sessions
        self.namespaces &+= other.namespaces
        self.upstreamSubscribes &+= other.upstreamSubscribes
        self.upstreamPublishes &+= other.upstreamPublishes
        self.subscribers &+= other.subscribers
        self.namespaceSubscriptions &+= other.namespaceSubscriptions
        self.fetches &+= other.fetches
        self.upstreamFetches &+= other.upstreamFetches
        self.cachedBytes += other.cachedBytes
        self.cacheHits &+= other.cacheHits
        self.cacheMisses &+= other.cacheMisses
        self.cacheEvictions &+= other.cacheEvictions
        self.fetchGapsUnknown &+= other.fetchGapsUnknown
        self.objectsIn &+= other.objectsIn
        self.bytesIn &+= other.bytesIn
        self.objectsOut &+= other.objectsOut
        self.bytesOut &+= other.bytesOut
        self.objectsCrossed &+= other.objectsCrossed
        self.bytesCrossed &+= other.bytesCrossed
        self.objectsDuplicate &+= other.objectsDuplicate
        self.tracksContradicted &+= other.tracksContradicted
        self.objectsWithoutSubscriber &+= other.objectsWithoutSubscriber
        self.subgroupsCutShort &+= other.subgroupsCutShort
        self.subscribersCutOff &+= other.subscribersCutOff
        self.pauses &+= other.pauses
        self.resumes &+= other.resumes
        self.sessionsRefused &+= other.sessionsRefused
        self.requestsOverLimit &+= other.requestsOverLimit
        self.tracksNotFound &+= other.tracksNotFound
        self.rendezvousTimeouts &+= other.rendezvousTimeouts
        self.upstreamTimeouts &+= other.upstreamTimeouts
        self.offerTimeouts &+= other.offerTimeouts
        self.upstreamConnects &+= other.upstreamConnects
        self.upstreamFailures &+= other.upstreamFailures
        self.upstreamLoops &+= other.upstreamLoops
    }
}
