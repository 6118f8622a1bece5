// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop

/// What the relay knows about one session. (loop)
///
/// The record is made with the session's first event and taken out when the session closes; everything that the session
/// brought into the relay hangs on it, so that it can be taken out again whatever the order of events is.
final class RelayPeer {
    let session: MoQSession
    /// Tells it from all others that there ever were.
    let number: UInt64
    /// The peer sent GOAWAY: nothing new is asked of it.
    var isGoingAway = false
    /// The session is closed; late answers must not bring anything back.
    var isClosed = false
    /// The namespaces that the peer has announced, in the order in which it did.
    var announcements: [Announcement] = []
    /// The namespace subscriptions of the peer.
    var namespaceFeeds: [NamespaceFeed] = []
    /// The tracks that the peer subscribes to, or is offered, and what stands behind each.
    var subscriptions: [FullTrackName: Subscribing] = [:]
    /// What the relay is subscribed to on this session.
    var upstreams: [FullTrackName: UpstreamFeed] = [:]

    /// Set when the peer is a relay that this one has connected to, to ask it for what nobody here publishes.
    private(set) weak var upstream: RelayUpstream?
    /// Whether it is. What comes from an upstream relay is not passed on to one.
    let isUpstream: Bool
    /// Set when the peer is another shard of this relay.
    private(set) weak var sibling: RelaySibling?
    /// Whether it is. What comes from another shard is not passed on to one, and what goes on between shards is not counted,
    /// since its causes are.
    let isSibling: Bool

    /// The fetches of the peer.
    var fetches: [ObjectIdentifier: RelayFetch] = [:]

    /// How far a subscription of the peer is.
    enum Subscribing {
        /// It waits for the publisher's answer.
        case waiting(WaitingSubscriber)
        /// The relay offered the track with PUBLISH and waits for the peer's answer, until the timer fires.
        case offered(TrackPublisher, LoopTimer)
        /// It is being served.
        case joined(TrackSubscriber)
    }

    /// What the peer is to this relay.
    enum Role {
        case client
        case upstream(RelayUpstream)
        case sibling(RelaySibling)
    }

    init(session: MoQSession, number: UInt64, role: Role) {
        self.session = session
        self.number = number
        switch role {
        case .client: (self.isUpstream, self.isSibling) = (false, false)
        case .upstream(let upstream):
            (self.isUpstream, self.isSibling) = (true, false)
            self.upstream = upstream
        case .sibling(let sibling):
            (self.isUpstream, self.isSibling) = (false, true)
            self.sibling = sibling
        }
    }

    /// Whether the peer is neither an upstream relay nor another shard.
    var isClient: Bool {
        !self.isUpstream && !self.isSibling
    }

    /// Where may be looked for what the peer wants.
    var reach: Reach {
        Reach(goesUp: !self.isUpstream, crosses: !self.isSibling)
    }

    /// Whether this is the old session with an upstream relay, and the other the one that was made in its place.
    func isLeft(for other: RelayPeer) -> Bool {
        self.isGoingAway && self.isUpstream && other !== self && self.upstream === other.upstream
    }

    /// Whether nothing is going on with the session.
    var isIdle: Bool {
        self.announcements.isEmpty && self.namespaceFeeds.isEmpty && self.subscriptions.isEmpty
            && self.upstreams.isEmpty && self.fetches.isEmpty
    }
}
