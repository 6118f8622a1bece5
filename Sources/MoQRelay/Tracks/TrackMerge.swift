// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import DequeModule
import MoQProtocol
import MoQWire
import PacketLoop

/// What is known of a track while several publishers bring it: whether they agree, and which datagrams came. (loop)
final class TrackMerge {
    /// How many datagrams are remembered.
    static let datagramCapacity = 4_096
    /// How long streams may come late that the publisher which is left sent before others that have come.
    static let patience = Duration.seconds(5)

    /// Judges what all publishers together send.
    var integrity = TrackIntegrity()
    /// Set while one publisher is left: as far as this the others may have been ahead of it.
    private(set) var until: Location?
    /// Runs once that one is farther.
    var end: LoopTimer?

    private var datagrams: Set<Location> = []
    private var order: Deque<Location> = []

    /// Another publisher has come, or left.
    func goOn(until location: Location?) {
        self.until = location
        self.end?.cancel()
        self.end = nil
    }

    /// Whether no publisher that has left can have sent anything of the group.
    func isPast(_ group: UInt64) -> Bool {
        self.until.map { group > $0.group } ?? false
    }

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
