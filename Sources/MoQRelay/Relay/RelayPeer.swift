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

    init(session: MoQSession, number: UInt64, upstream: RelayUpstream? = nil) {
        self.session = session
        self.number = number
        self.upstream = upstream
        self.isUpstream = upstream != nil
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
