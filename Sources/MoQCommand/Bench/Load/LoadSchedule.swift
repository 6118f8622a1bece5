// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// When the objects of a load are due, and which of them are measured. All times are on ``BenchClock``.
struct LoadSchedule: Hashable, Sendable {
    /// When the first object is due.
    let start: UInt64
    /// What is due from here on is measured: before it, everything warms up.
    let measuredFrom: UInt64
    /// Nothing is due from here on.
    let end: UInt64
    /// How many objects are due per second; nil for as many as can be sent.
    let rate: Double?

    /// A load that begins at `start`.
    init(start: UInt64, warmUp: Duration, duration: Duration, rate: Double?) {
        self.start = start
        self.measuredFrom = start + BenchClock.nanoseconds(warmUp)
        self.end = self.measuredFrom + BenchClock.nanoseconds(duration)
        self.rate = rate
    }

    /// Whether an object that is due at this time is measured.
    func measures(_ due: UInt64) -> Bool {
        due >= self.measuredFrom && due < self.end
    }

    /// When an object is due. Each time is reckoned from the start, so nothing adds up. Only with a rate.
    func due(_ sequence: UInt64) -> UInt64 {
        guard let rate = self.rate else { return self.start }
        return self.start + UInt64(Double(sequence) * 1e9 / rate)
    }

    /// How many objects are due before this time, or at it. Only with a rate.
    func dueCount(at time: UInt64) -> UInt64 {
        guard let rate = self.rate, time >= self.start, self.end > self.start else { return 0 }
        let last = min(time, self.end - 1)
        var count = UInt64(Double(last - self.start) * rate / 1e9) + 1
        // The two directions are rounded differently.
        while count > 0, self.due(count - 1) > last {
            count -= 1
        }
        while self.due(count) <= last {
            count += 1
        }
        return count
    }

    /// How many objects that are measured are due before this time, or at it. Only with a rate.
    func measuredCount(at time: UInt64) -> UInt64 {
        guard time >= self.measuredFrom else { return 0 }
        guard self.measuredFrom > self.start else { return self.dueCount(at: time) }
        return self.dueCount(at: time) - self.dueCount(at: self.measuredFrom - 1)
    }
}
