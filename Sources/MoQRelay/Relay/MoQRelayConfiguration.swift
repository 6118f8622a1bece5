// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQ

/// The limits of a relay.
///
/// What goes beyond a limit is refused alone, with EXCESSIVE_LOAD (INTERNAL_ERROR up to draft 16, which has no better
/// code), and counted in ``MoQRelayCounters``; nothing that stands is disturbed. Every limit is per relay, and so per
/// shard.
public struct MoQRelayConfiguration: Sendable {
    /// How many sessions may be open. A further one is closed at once.
    public var maximumSessions: Int
    /// How many namespaces one session may have announced at a time.
    public var maximumNamespacesPerSession: Int
    /// How many different namespaces may be announced at a time.
    public var maximumNamespaces: Int
    /// How many publishers of one namespace are remembered.
    public var maximumPublishersPerNamespace: Int
    /// How many tracks may be known: those with subscribers and those that were offered with PUBLISH.
    public var maximumTracks: Int
    /// How many publishers of one track are used at a time, and how many are asked for it.
    public var maximumPublishersPerTrack: Int
    /// How many subscribers one track may have, those that still wait for the publisher's answer included.
    public var maximumSubscribersPerTrack: Int
    /// How many subscribers may wait for the publisher's answer about one track.
    public var maximumPendingSubscribersPerTrack: Int
    /// How many subscriptions one session may have, pending ones included.
    public var maximumSubscriptionsPerSession: Int
    /// How many namespace subscriptions one session may have.
    public var maximumNamespaceSubscriptionsPerSession: Int
    /// How many fetches one session may have open.
    public var maximumFetchesPerSession: Int
    /// How much the remembered objects may count, in bytes; 0 for a relay that remembers nothing.
    public var maximumCachedBytes: Int
    /// How many groups of one track are remembered.
    public var maximumCachedGroupsPerTrack: Int
    /// How long an object is served after it arrived; a track can only shorten that (MAX_CACHE_DURATION).
    public var maximumCacheAge: Duration
    /// How long a publisher may take to answer a SUBSCRIBE before its subscribers are told TIMEOUT, or keep a fetch waiting
    /// before what is missing is reported as unknown; and a subscriber to answer a PUBLISH before it is taken back.
    public var upstreamResponseTimeout: Duration
    /// How long a SUBSCRIBE is held for a publisher to appear, at most, when its subscriber is willing to wait
    /// (RENDEZVOUS_TIMEOUT); zero for never.
    public var maximumRendezvousTime: Duration
    /// What the sessions made by ``MoQRelay/accept(_:profile:)`` are configured with.
    public var session: MoQSessionConfiguration

    /// Makes a configuration; every limit has a default.
    public init(
        maximumSessions: Int = 10_000,
        maximumNamespacesPerSession: Int = 1_000,
        maximumNamespaces: Int = 100_000,
        maximumPublishersPerNamespace: Int = 16,
        maximumTracks: Int = 100_000,
        maximumPublishersPerTrack: Int = 4,
        maximumSubscribersPerTrack: Int = 10_000,
        maximumPendingSubscribersPerTrack: Int = 1_000,
        maximumSubscriptionsPerSession: Int = 1_000,
        maximumNamespaceSubscriptionsPerSession: Int = 100,
        maximumFetchesPerSession: Int = 100,
        maximumCachedBytes: Int = 64 << 20,
        maximumCachedGroupsPerTrack: Int = 1_000,
        maximumCacheAge: Duration = .seconds(300),
        upstreamResponseTimeout: Duration = .seconds(10),
        maximumRendezvousTime: Duration = .seconds(60),
        session: MoQSessionConfiguration = MoQSessionConfiguration()
    ) {
        self.maximumSessions = maximumSessions
        self.maximumNamespacesPerSession = maximumNamespacesPerSession
        self.maximumNamespaces = maximumNamespaces
        self.maximumPublishersPerNamespace = maximumPublishersPerNamespace
        self.maximumTracks = maximumTracks
        self.maximumPublishersPerTrack = maximumPublishersPerTrack
        self.maximumSubscribersPerTrack = maximumSubscribersPerTrack
        self.maximumPendingSubscribersPerTrack = maximumPendingSubscribersPerTrack
        self.maximumSubscriptionsPerSession = maximumSubscriptionsPerSession
        self.maximumNamespaceSubscriptionsPerSession = maximumNamespaceSubscriptionsPerSession
        self.maximumFetchesPerSession = maximumFetchesPerSession
        self.maximumCachedBytes = maximumCachedBytes
        self.maximumCachedGroupsPerTrack = maximumCachedGroupsPerTrack
        self.maximumCacheAge = maximumCacheAge
        self.upstreamResponseTimeout = upstreamResponseTimeout
        self.maximumRendezvousTime = maximumRendezvousTime
        self.session = session
    }
}
