// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop

/// What every part of one relay shares: its loop, its limits and its counters. (loop)
///
/// Parts hold the ledger instead of the relay, so that they need no way back to it on the data path and keep nothing
/// alive but numbers.
final class RelayLedger {
    let loop: PacketLoop
    let configuration: MoQRelayConfiguration
    var counters = MoQRelayCounters()
    /// How many other shards the relay has.
    var siblingCount = 0

    init(loop: PacketLoop, configuration: MoQRelayConfiguration) {
        self.loop = loop
        self.configuration = configuration
    }

    /// How many publishers of one track are used at a time: the other shards come on top, each of which may have several.
    var maximumPublishersPerTrack: Int {
        self.configuration.maximumPublishersPerTrack + self.siblingCount
    }

    /// How much of something one peer may have. Another shard may have what all clients together may.
    func limit(_ peer: RelayPeer, _ own: KeyPath<MoQRelayConfiguration, Int>, _ all: Int) -> Int {
        peer.isSibling ? all : self.configuration[keyPath: own]
    }
}
