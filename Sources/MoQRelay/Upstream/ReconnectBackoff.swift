// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import PacketLoop

/// Decides how long to wait before something is tried again that failed: exponential backoff with jitter.
///
/// ```
///   first ── failure ──► first × factor ── failure ──► … ──► maximum
///     ▲                                                        │
///     └──────────── a connection that was stable ──────────────┘
/// ```
///
/// Each wait is a random one between half of its bound and the bound, so that those who lost the same server do not all
/// come back in the same moment. A value: time and chance are parameters.
public struct ReconnectBackoff: Hashable, Sendable {
    /// The bound of the first wait, and of the first one after a stable connection.
    public let first: Duration
    /// What the bound is multiplied by after each failure.
    public let factor: Int
    /// The bound never grows beyond this.
    public let maximum: Duration
    /// How long a connection has to stand to count as stable. One that is lost sooner counts as a failure.
    public let stableAfter: Duration

    private var bound: Duration
    private var connectedSince: LoopInstant?

    /// Makes one that nothing has happened to. A factor below 1 counts as 1, a maximum below `first` as `first`.
    public init(
        first: Duration = .milliseconds(500),
        factor: Int = 2,
        maximum: Duration = .seconds(30),
        stableAfter: Duration = .seconds(10)
    ) {
        self.first = first
        self.factor = max(factor, 1)
        self.maximum = max(maximum, first)
        self.stableAfter = stableAfter
        self.bound = first
    }

    /// The connection stands.
    public mutating func connected(at now: LoopInstant) {
        self.connectedSince = now
    }

    /// An attempt failed, or the connection was lost.
    /// - Returns: how long to wait before the next attempt.
    public mutating func failed(at now: LoopInstant, using generator: inout some RandomNumberGenerator) -> Duration {
        if let since = self.connectedSince, since.duration(to: now) >= self.stableAfter {
            self.bound = self.first
        }
        self.connectedSince = nil
        let chance = Double(generator.next() >> 11) * 0x1p-53
        let wait = self.bound / 2 + self.bound / 2 * chance
        // Compared first, because the product could be more than a duration can be.
        self.bound = self.bound >= self.maximum / self.factor ? self.maximum : self.bound * self.factor
        return wait
    }

    /// Nothing will be different soon: the next wait has the highest bound.
    public mutating func giveUpHope() {
        self.connectedSince = nil
        self.bound = self.maximum
    }
}
