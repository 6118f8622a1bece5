// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import DequeModule
import MoQWire

/// Remembers the aliases of the last subscriptions that ended, so that streams which arrive late are stopped at once
/// instead of waiting for a subscription (draft-18 §11.1). The oldest are forgotten.
struct RetiredAliases {
    /// How many are remembered.
    static let capacity = 256

    private var order: Deque<TrackAlias> = []
    private var members: Set<TrackAlias> = []

    /// Whether a subscription with this alias ended a short while ago.
    func contains(_ alias: TrackAlias) -> Bool {
        self.members.contains(alias)
    }

    /// A subscription with this alias ended.
    mutating func insert(_ alias: TrackAlias) {
        guard self.members.insert(alias).inserted else {
            return
        }
        self.order.append(alias)
        if self.order.count > Self.capacity, let oldest = self.order.popFirst() {
            self.members.remove(oldest)
        }
    }

    /// The alias is in use again.
    mutating func remove(_ alias: TrackAlias) {
        guard self.members.remove(alias) != nil else {
            return
        }
        self.order.removeAll { $0 == alias }
    }
}
