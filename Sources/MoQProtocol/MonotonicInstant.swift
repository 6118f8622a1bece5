// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// A reading of the caller's clock. The machines have none of their own: whoever uses them passes the time in.
public struct MonotonicInstant: Hashable, Comparable, Sendable {
    /// Microseconds since an arbitrary start.
    public var microseconds: UInt64

    /// Wraps a reading.
    public init(microseconds: UInt64) {
        self.microseconds = microseconds
    }

    /// The instant that lies so much later; a negative duration counts as zero, and the far future is never passed.
    public func advanced(by duration: Duration) -> MonotonicInstant {
        let (seconds, attoseconds) = duration.components
        guard seconds >= 0, attoseconds >= 0 else {
            return self
        }
        let (scaled, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000)
        let (span, overflow2) = scaled.addingReportingOverflow(UInt64(attoseconds / 1_000_000_000_000))
        let (end, overflow3) = self.microseconds.addingReportingOverflow(span)
        return MonotonicInstant(microseconds: overflow || overflow2 || overflow3 ? .max : end)
    }

    /// Orders by time.
    public static func < (lhs: MonotonicInstant, rhs: MonotonicInstant) -> Bool {
        lhs.microseconds < rhs.microseconds
    }
}
