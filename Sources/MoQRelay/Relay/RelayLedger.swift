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

    init(loop: PacketLoop, configuration: MoQRelayConfiguration) {
        self.loop = loop
        self.configuration = configuration
    }
}
