// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// A moment on a loop's clock, in microseconds.
///
/// The clock is monotonic and starts at an arbitrary moment: instants of one loop can be compared with each other and
/// with nothing else (never with wall-clock time).
public struct LoopInstant: Hashable, Comparable, Sendable {
    /// Microseconds since the clock's arbitrary start.
    public var microseconds: UInt64

    /// The instant that is so many microseconds after the clock's start.
    public init(microseconds: UInt64) {
        self.microseconds = microseconds
    }

    /// A moment that never comes.
    public static let distantFuture = LoopInstant(microseconds: .max)

    /// The instant `duration` later, to the microsecond (rounded up, so that a timer is never early). Durations below
    /// zero go back in time; the result stays within the clock's range.
    public func advanced(by duration: Duration) -> LoopInstant {
        let step = Self.microseconds(of: duration)
        if step >= 0 {
            let (sum, overflow) = self.microseconds.addingReportingOverflow(UInt64(step))
            return LoopInstant(microseconds: overflow ? .max : sum)
        }
        let (difference, underflow) = self.microseconds.subtractingReportingOverflow(step.magnitude)
        return LoopInstant(microseconds: underflow ? 0 : difference)
    }

    /// The time from this instant to `other`; below zero when `other` is earlier.
    public func duration(to other: LoopInstant) -> Duration {
        if other.microseconds >= self.microseconds {
            let gap = other.microseconds &- self.microseconds
            return .microseconds(Int64(clamping: gap))
        }
        let gap = self.microseconds &- other.microseconds
        return .microseconds(0 &- Int64(clamping: gap))
    }

    /// Earlier instants are less.
    public static func < (left: LoopInstant, right: LoopInstant) -> Bool {
        left.microseconds < right.microseconds
    }

    /// Whole microseconds of a duration, rounded up and clamped to what fits.
    private static func microseconds(of duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        let (fromSeconds, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        if overflow {
            return seconds < 0 ? .min : .max
        }
        let attosecondsPerMicrosecond: Int64 = 1_000_000_000_000
        var fraction = attoseconds / attosecondsPerMicrosecond
        if attoseconds % attosecondsPerMicrosecond > 0 {
            fraction += 1
        }
        let (sum, sumOverflow) = fromSeconds.addingReportingOverflow(fraction)
        return sumOverflow ? (seconds < 0 ? .min : .max) : sum
    }
}
