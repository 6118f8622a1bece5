// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Since when the objects of one stream wait of which no byte was handed to the transport.
///
/// Not every object is remembered, but one in every so much time, beside the last one. An object between two of those
/// counts as the later one; so none is ever late too early, and what is remembered does not grow with their number.
public struct WaitingObjects: Sendable {
    private struct Mark {
        /// How many bytes of the stream come before the object.
        var start: UInt64
        var time: MonotonicInstant
    }

    /// In the order in which they began; few, so that the first one is cheaply removed.
    private var marks: [Mark] = []
    private var last: Mark?

    /// None.
    public init() {}

    /// An object began, `start` bytes after the beginning of the stream. Of those that begin within `spacing` after one
    /// that is remembered only the last one is.
    public mutating func objectBegan(at start: UInt64, now: MonotonicInstant, spacing: Duration) {
        let mark = Mark(start: start, time: now)
        guard let newest = self.marks.last, now < newest.time.advanced(by: spacing) else {
            self.marks.append(mark)
            self.last = nil
            return
        }
        self.last = mark
    }

    /// Since when the oldest object waits, when so many bytes of the stream were taken; nil when none waits.
    public mutating func oldest(taken: UInt64) -> MonotonicInstant? {
        while let mark = self.marks.first, mark.start < taken {
            self.marks.removeFirst()
        }
        if self.marks.isEmpty, let last = self.last {
            self.last = nil
            if last.start >= taken {
                self.marks.append(last)
            }
        }
        return self.marks.first?.time
    }

    /// How many objects are remembered.
    package var count: Int {
        self.marks.count + (self.last == nil ? 0 : 1)
    }
}
