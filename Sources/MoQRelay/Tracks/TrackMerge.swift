// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import DequeModule
import MoQProtocol
import MoQWire

/// What is known of a track while several publishers bring it: whether they agree, and which datagrams came. (loop)
final class TrackMerge {
    /// How many datagrams are remembered.
    static let datagramCapacity = 4_096

    /// Judges what all publishers together send.
    var integrity = TrackIntegrity()
    /// Set while one publisher is left: as far as this the others may have been ahead of it.
    var until: Location?

    private var datagrams: Set<Location> = []
    private var order: Deque<Location> = []

    /// A datagram came. Returns false when one with this location came before.
    func admit(datagramAt location: Location) -> Bool {
        guard self.datagrams.insert(location).inserted else {
            return false
        }
        self.order.append(location)
        if self.order.count > Self.datagramCapacity, let oldest = self.order.popFirst() {
            self.datagrams.remove(oldest)
        }
        return true
    }
}
