// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Logging
import MoQ
import MoQWire
import PacketLoop
import WebTransport

/// The other shards of the relay.
extension MoQRelay {
    /// Makes the session with another shard, and starts it.
    func addSibling(_ sibling: RelaySibling, over transport: any WebTransportSession) {
        self.siblings.append(sibling)
        self.ledger.siblingCount = self.siblings.count
        let session = MoQSession(
            transport: transport,
            loop: self.loop,
            profile: .draft18,
            configuration: Self.siblingSession(self.configuration),
            handler: self
        )
        sibling.adopt(self.register(session, as: .sibling(sibling)))
        session.start()
    }

    /// What sessions between shards are configured with. They carry what all clients want together, and are limited by the
    /// tables of the relay.
    private static func siblingSession(_ relay: MoQRelayConfiguration) -> MoQSessionConfiguration {
        var session = MoQSessionConfiguration()
        session.maxPeerRequests = .max
        session.maxWaitingRequests = relay.maximumTracks
        session.maxHeldStreams = 4_096
        session.maxNamespacesPerSubscription = relay.maximumNamespaces
        session.maxQueuedBytesPerTrack = relay.session.maxQueuedBytesPerTrack
        session.maxSubgroupsPerTrack = relay.session.maxSubgroupsPerTrack
        session.trackHighWatermark = relay.session.trackHighWatermark
        session.trackLowWatermark = relay.session.trackLowWatermark
        session.maxObjectPropertiesByteCount = relay.session.maxObjectPropertiesByteCount
        session.understoodMandatoryProperties = relay.session.understoodMandatoryProperties
        // Nothing but a loop that does nothing else stalls it, and then nobody is served anyway.
        session.stallTimeout = .seconds(60)
        return session
    }

    /// A shard can be told, and asked, from now on.
    func siblingBecameReady(_ outreach: RelayOutreach, isGateway: Bool) {
        let everything = TrackNamespace(fields: [])
        for (namespace, announcements) in self.announcements.all(under: everything)
        where announcements.contains(where: { !$0.owner.isSibling }) {
            outreach.announce(namespace)
        }
        for track in self.publishedTracks.all(under: everything) {
            self.offer(track, across: outreach.peer)
        }
        guard isGateway else {
            return
        }
        for (_, feeds) in self.namespaceFeeds.all(under: everything) {
            for feed in feeds where !feed.owner.isSibling {
                outreach.follow(feed)
            }
        }
        for track in self.tracksByNamespace.all(under: everything)
        where track.isAwaitingPublisher && track.reach.covers(Reach.everything) {
            track.publisherAppeared(outreach.peer)
        }
    }

    /// Whether what this session wants, and nobody has as far as is known here, may have turned up at another shard whose
    /// word of that is still in front of this loop. The session's peer may have heard of it from there already.
    func mayHearMore(for peer: RelayPeer) -> Bool {
        !self.siblings.isEmpty && !peer.isSibling
    }

    /// Calls `body`, unless the session has ended, when everything has been taken in that other shards have handed over by
    /// now. Timers come after what other loops have posted, so one that is due will do.
    func lookAgain(for peer: RelayPeer, _ body: @escaping (MoQRelay) -> Void) {
        _ = self.loop.schedule(at: self.loop.now) { [weak self, weak peer] in
            if let self, peer?.isClosed == false {
                body(self)
            }
        }
    }

    /// All subscribers of a track at another shard lag, or not any more.
    func sibling(_ index: Int, lags: Bool, in track: FullTrackName) {
        guard let peer = self.siblings.first(where: { $0.index == index })?.peer,
            case .joined(let subscriber) = peer.subscriptions[track]
        else {
            return
        }
        subscriber.lagsElsewhere = lags
        if lags {
            subscriber.forwarder?.everybodyLags()
        } else {
            subscriber.forwarder?.subscriberDrained()
        }
    }

    /// Sends PUBLISH for a track that a client of this shard publishes to another shard, which asks for objects when it wants
    /// some.
    func offer(_ track: TrackForwarder, across peer: RelayPeer) {
        guard track.upstreams.contains(where: { $0.origin == .published && $0.owner.isClient }) else {
            return
        }
        self.offer(track, to: peer, forward: false) {}
    }

    /// A client of this shard publishes a track, which the other shards have to know.
    func offerAcross(_ track: TrackForwarder) {
        for sibling in self.siblings {
            if let peer = sibling.peer, peer.session.state == .established {
                self.offer(track, across: peer)
            }
        }
    }

    /// The shards over which upstream relays can be asked.
    var gateways: [RelayPeer] {
        self.siblings.compactMap { sibling in
            guard sibling.isGateway, let peer = sibling.peer, !peer.isGoingAway,
                peer.session.state == .established
            else {
                return nil
            }
            return peer
        }
    }

    /// A shard has no publisher of a track any more: what is remembered of it is forgotten, as it is there.
    func forgetTrack(_ name: FullTrackName, of sibling: RelayPeer) {
        if self.cache.existing(name)?.source == ObjectIdentifier(sibling) {
            self.cache.remove(name)
        }
    }

    /// A shard has no publisher of a namespace any more: what is remembered of its tracks is forgotten, unless they go on.
    func forgetTracks(in namespace: TrackNamespace, of sibling: RelayPeer) {
        for name in self.cache.tracks(from: ObjectIdentifier(sibling), in: namespace)
        where sibling.upstreams[name] == nil {
            self.cache.remove(name)
        }
    }
}
