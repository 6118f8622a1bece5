// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Where may be looked for what somebody wants: never where it came from.
///
/// What an upstream relay wants is not asked of one, and what another shard wants is not asked of a further one: requests go
/// up, or across, at most once, and so no ring of them can arise (split horizon).
struct Reach: Hashable {
    /// Upstream relays.
    var goesUp = false
    /// The other shards of this relay.
    var crosses = false

    /// Everywhere.
    static let everything = Reach(goesUp: true, crosses: true)

    /// Whether `peer` may be asked.
    func includes(_ peer: RelayPeer) -> Bool {
        (self.goesUp || !peer.isUpstream) && (self.crosses || !peer.isSibling)
    }

    /// Whether nothing that lies within the other reach is beyond this one.
    func covers(_ other: Reach) -> Bool {
        (self.goesUp || !other.goesUp) && (self.crosses || !other.crosses)
    }

    /// Adds what may be asked for somebody else.
    mutating func formUnion(_ other: Reach) {
        self.goesUp = self.goesUp || other.goesUp
        self.crosses = self.crosses || other.crosses
    }
}
