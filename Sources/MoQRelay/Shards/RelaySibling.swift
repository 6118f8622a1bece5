// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire

/// Another shard of the same relay, and the session with it. (loop)
///
/// Siblings trust each other: what a client may do was decided at its own shard. Each tells the others what its own clients
/// and upstream relays bring, and none what it has from a third, so all of them know the same, and nothing goes round.
///
/// A session between shards is never too slow because of one subscriber behind it. What comes over it is always read; whether
/// the subscribers over there lag is told with ``tellLagging``, and counts for the publisher here as if they were here. Who
/// of them cannot keep up with the others is cut off by its own shard.
final class RelaySibling {
    /// The number of the shard.
    let index: Int
    /// Whether upstream relays are reached over it: then it is asked for what nobody publishes.
    let isGateway: Bool
    /// Tells the shard that all of its subscribers of a track that comes from there lag, or not any more.
    let tellLagging: (_ track: FullTrackName, _ lags: Bool) -> Void
    /// The session, once it is registered.
    private(set) var peer: RelayPeer?

    private weak var relay: MoQRelay?
    private var outreach: RelayOutreach?
    /// Called once: with true when the shard can be asked, with false when the session has ended before.
    private var isReady: ((Bool) -> Void)?

    init(
        index: Int,
        isGateway: Bool,
        relay: MoQRelay,
        tellLagging: @escaping (FullTrackName, Bool) -> Void,
        isReady: @escaping (Bool) -> Void
    ) {
        self.index = index
        self.isGateway = isGateway
        self.relay = relay
        self.tellLagging = tellLagging
        self.isReady = isReady
    }

    /// The session is there.
    func adopt(_ peer: RelayPeer) {
        self.peer = peer
    }

    /// The session can be used.
    func sessionDidSetUp() {
        guard let peer = self.peer, let relay = self.relay else {
            return
        }
        let outreach = RelayOutreach(to: peer, named: "shard \(self.index)", of: relay, asks: self.isGateway)
        self.outreach = outreach
        relay.siblingBecameReady(outreach, isGateway: self.isGateway)
        self.answer(true)
    }

    /// The session has closed, and everything that it brought was taken out.
    func sessionDidClose() {
        self.peer = nil
        let outreach = self.outreach
        self.outreach = nil
        outreach?.close()
        self.answer(false)
    }

    private func answer(_ isReady: Bool) {
        let closure = self.isReady
        self.isReady = nil
        closure?(isReady)
    }

    /// A namespace has a publisher at this shard.
    func announce(_ namespace: TrackNamespace) {
        self.outreach?.announce(namespace)
    }

    /// A namespace has no publisher at this shard any more.
    func withdraw(_ namespace: TrackNamespace) {
        self.outreach?.withdraw(namespace)
    }

    /// A client of this shard follows a prefix.
    func follow(_ feed: NamespaceFeed) {
        self.outreach?.follow(feed)
    }

    /// A client of this shard follows a prefix no more, and is not in the relay's table under it.
    func unfollow(_ prefix: TrackNamespace, _ feed: NamespaceFeed) {
        self.outreach?.unfollow(prefix, feed)
    }
}
