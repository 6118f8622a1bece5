// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import PacketLoop

/// Spreads objects evenly over time: so many per second, and never more than a tenth of a second's worth at once.
struct Pacer {
    private let rate: Double
    private let burst: Double
    private var credit: Double
    private var last: LoopInstant?

    /// Allows `rate` objects per second, more than 0.
    init(rate: Double) {
        self.rate = rate
        self.burst = max(1, rate / 10)
        self.credit = 1
    }

    /// Takes the permission to send one object at a time, or returns how long to wait for it.
    mutating func take(at now: LoopInstant) -> Duration? {
        if let last = self.last {
            let elapsed = Quantity.seconds(last.duration(to: now))
            self.credit = min(self.burst, self.credit + elapsed * self.rate)
        }
        self.last = now
        guard self.credit < 1 else {
            self.credit -= 1
            return nil
        }
        let seconds = (1 - self.credit) / self.rate
        return .microseconds(Int64(min(max(seconds * 1_000_000, 100), 3.6e9).rounded(.up)))
    }

    /// Returns a permission that was taken and not used.
    mutating func giveBack() {
        self.credit += 1
    }
}
