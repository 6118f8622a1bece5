// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// The one line that a person sees while a file travels: how much, how fast, how long still. Nothing when standard
/// error is not a terminal. Written a few times a second, over itself.
struct ProgressDisplay {
    /// The longest pause between two versions of the line.
    static let interval = Duration.milliseconds(200)

    private let total: UInt64?
    private let isVisible: Bool
    private var began: ContinuousClock.Instant
    private var wroteLine = false

    /// Begins to measure. `total` is what there will be in the end, if that is known.
    init(total: UInt64?, isVisible: Bool = StandardStreams.errorIsTerminal) {
        self.total = total
        self.isVisible = isVisible
        self.began = .now
    }

    /// Shows the state of affairs.
    mutating func show(bytes: UInt64) {
        guard self.isVisible else { return }
        if bytes == 0 {
            // Waiting for a subscriber does not count for the rate.
            self.began = .now
        }
        let line = self.line(bytes: bytes, seconds: Quantity.seconds(self.began.duration(to: .now)))
        StandardStreams.note("\r\(line)\u{1B}[K")
        self.wroteLine = true
    }

    /// Leaves the line, so that what follows has its own.
    mutating func end() {
        if self.wroteLine {
            StandardStreams.note("\r\u{1B}[K")
            self.wroteLine = false
        }
    }

    /// The text of the line.
    func line(bytes: UInt64, seconds: Double) -> String {
        let rate = "\(Quantity.megabitsPerSecond(bytes: bytes, seconds: seconds)) Mbit/s"
        guard let total = self.total, total > 0 else {
            return "\(Quantity.bytes(bytes))  \(rate)  \(Quantity.clock(seconds: seconds))"
        }
        let share = min(1, Double(bytes) / Double(total))
        let percent = "\(Int(share * 100))%"
        guard bytes > 0, seconds > 0 else {
            return "\(percent) of \(Quantity.bytes(total))  waiting for a subscriber"
        }
        let rest = Double(total - min(bytes, total)) / Double(bytes) * seconds
        return "\(percent) of \(Quantity.bytes(total))  \(rate)  \(Quantity.clock(seconds: rest)) left"
    }
}
