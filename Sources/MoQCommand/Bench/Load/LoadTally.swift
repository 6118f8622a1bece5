// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What subscribers of one kind received together. (loop)
final class LoadTally {
    /// How long a payload has to be.
    let size: Int
    /// Later than that after it was due, in nanoseconds, an object is late.
    let lateAfter: UInt64
    /// Which objects are measured; nil before the load begins.
    var schedule: LoadSchedule?

    /// Everything that arrived, measured or not.
    private(set) var objects: UInt64 = 0
    /// The bytes of their payloads.
    private(set) var bytes: UInt64 = 0
    /// Of the objects that are measured: those that came for the first time.
    private(set) var delivered: UInt64 = 0
    /// Those that came again.
    private(set) var duplicated: UInt64 = 0
    /// Those that came so much out of order that it is not known whether they came before.
    private(set) var tooOld: UInt64 = 0
    /// Those that came later than they may.
    private(set) var late: UInt64 = 0
    /// Objects that are not as they were sent, measured or not.
    private(set) var corrupt: UInt64 = 0
    /// How long those that came for the first time took, from the time when they were due.
    private(set) var latency = LatencyHistogram()

    /// Counts nothing before it has a schedule.
    init(size: Int, lateAfter: UInt64) {
        self.size = size
        self.lateAfter = lateAfter
    }

    /// An object arrived. `stamp` is nil when it has none that makes sense.
    func count(_ stamp: LoadStamp?, length: UInt64, in window: inout SequenceWindow) {
        let now = BenchClock.now
        self.objects &+= 1
        self.bytes &+= length
        guard let stamp, length == UInt64(self.size), stamp.sequence < .max, let schedule = self.schedule else {
            self.corrupt &+= 1
            return
        }
        let verdict = window.insert(stamp.sequence)
        guard schedule.measures(stamp.due) else { return }
        switch verdict {
        case .new:
            let latency = now - min(now, stamp.due)
            self.delivered &+= 1
            self.late &+= latency > self.lateAfter ? 1 : 0
            self.latency.record(latency)
        case .duplicate:
            self.duplicated &+= 1
        case .tooOld:
            self.tooOld &+= 1
        }
    }

    /// An object is not as it was sent: too short, or with a status that it was not given.
    func countCorrupt() {
        self.corrupt &+= 1
    }
}
