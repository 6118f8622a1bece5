// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Adds up what somebody else counts in 32 bits, from 0 on, and reports from time to time.
struct WrappingCount {
    /// How far that has come.
    private(set) var total: UInt64 = 0
    private var last: UInt32 = 0

    /// Takes a report. The count may have wrapped since the last one, but not come half way round; what seems to go
    /// back is a report that was overtaken, and nothing new.
    mutating func note(_ count: UInt32) {
        let step = Int32(bitPattern: count &- self.last)
        guard step > 0 else {
            return
        }
        self.total &+= UInt64(step)
        self.last = count
    }
}
