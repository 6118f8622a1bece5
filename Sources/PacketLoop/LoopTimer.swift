// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// One scheduled call, made by ``PacketLoop/schedule(at:_:)``. (loop)
///
/// Used on the loop's thread only. The loop keeps an armed timer alive; dropping the last reference of your own does
/// not cancel it.
public final class LoopTimer {
    /// Where the timer stands.
    ///
    /// ```
    ///   armed(index) ──── deadline passes ───▶ due ──── its turn in the batch ───▶ spent
    ///        └───────────── cancel() ───────────┴───────── cancel() ────────────────▲
    /// ```
    enum Phase {
        /// In the heap, at this place.
        case armed(index: Int)
        /// Its deadline has passed, and its turn in the batch that is being fired has not come yet.
        case due
        /// Fired or cancelled.
        case spent
    }

    /// When the timer is to fire.
    public let deadline: LoopInstant

    /// Breaks ties between equal deadlines: who was scheduled first fires first.
    let sequence: UInt64
    var phase: Phase = .spent
    var body: (() -> Void)?

    /// Set while the timer is armed or due, so that a spent timer keeps nothing alive.
    var queue: TimerQueue?

    init(deadline: LoopInstant, sequence: UInt64, body: @escaping () -> Void) {
        self.deadline = deadline
        self.sequence = sequence
        self.body = body
    }

    /// Whether the timer is still going to fire.
    public var isScheduled: Bool {
        if case .spent = self.phase {
            return false
        }
        return true
    }

    /// Makes sure that the timer does not fire, even if its deadline has passed and only its turn has not come yet.
    /// Has no effect on a timer that has fired or was cancelled. What the body captured is released at once.
    public func cancel() {
        self.queue?.cancel(self)
    }
}
