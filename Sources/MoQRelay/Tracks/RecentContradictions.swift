// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import PacketLoop

/// Tracks whose publishers contradicted each other not long ago. (loop)
///
/// Another shard that has one of the publishers offers the track again as soon as this one has let go of it, and would do so for
/// as long as the publishers do not agree.
struct RecentContradictions {
    /// How long such a track is remembered.
    static let patience = Duration.seconds(60)
    /// How many are.
    private static let capacity = 1_024

    private var ends: [FullTrackName: LoopInstant] = [:]

    /// The publishers of a track contradicted each other. Not remembered while too many others are.
    mutating func note(_ name: FullTrackName, at now: LoopInstant) {
        if self.ends.count >= Self.capacity {
            self.ends = self.ends.filter { $0.value > now }
        }
        if self.ends.count < Self.capacity {
            self.ends[name] = now.advanced(by: Self.patience)
        }
    }

    /// Whether those of a track did.
    func contains(_ name: FullTrackName, at now: LoopInstant) -> Bool {
        !self.ends.isEmpty && self.ends[name].map { $0 > now } ?? false
    }
}
