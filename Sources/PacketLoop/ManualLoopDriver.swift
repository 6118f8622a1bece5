// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Drives a loop in virtual time on the calling thread, for tests and simulated links.
///
/// The thread that made the driver, or called it last, counts as the loop's thread: it may touch what is confined to
/// the loop directly. Nothing runs between the calls. Time stands still except inside ``advance(by:)`` and
/// ``advanceUntilIdle(limit:)``.
///
/// ```swift
/// let loop = ManualLoopDriver.makeLoop()
/// let driver = ManualLoopDriver(loop: loop)
/// loop.schedule(after: .seconds(1)) { … }
/// driver.advance(by: .seconds(2))
/// ```
public final class ManualLoopDriver {
    /// The time that all loops made by ``makeLoop(label:)`` read when nobody drives them.
    private static let origin: UInt64 = 1_000_000

    /// How many turns one instant may take before the driver concludes that the work never ends.
    private static let turnsPerInstant = 100_000

    /// The loop that is driven.
    public let loop: PacketLoop

    /// The virtual time.
    public private(set) var now: LoopInstant

    /// A loop whose clock stands still while nobody drives it.
    public static func makeLoop(label: String = "manual") -> PacketLoop {
        PacketLoop(label: label, clock: { Self.origin })
    }

    /// Starts driving `loop` on the calling thread.
    public init(loop: PacketLoop, startingAt start: LoopInstant = LoopInstant(microseconds: 1_000_000)) {
        self.loop = loop
        self.now = start
        self.takeOver()
    }

    /// Moves the time on by `duration`, stopping at every deadline on the way: timers see exactly the instant they
    /// asked for.
    public func advance(by duration: Duration) {
        let target = self.now.advanced(by: duration)
        self.runUntilIdle()
        while let deadline = self.loop.nextDeadline, deadline <= target {
            self.now = max(self.now, deadline)
            self.runUntilIdle()
        }
        self.now = target
        self.takeOver()
    }

    /// Does all the work that is queued and fires all the timers that are due, until nothing more happens at the
    /// present instant. The time does not move.
    public func runUntilIdle() {
        self.takeOver()
        for _ in 0..<Self.turnsPerInstant {
            self.loop.turn(now: self.now)
            let isTimerDue = self.loop.nextDeadline.map { $0 <= self.now } ?? false
            guard self.loop.hasWork || isTimerDue else {
                return
            }
        }
    }

    /// Moves from deadline to deadline until nothing is scheduled, or `limit` has passed.
    /// - Returns: whether the loop came to rest.
    @discardableResult
    public func advanceUntilIdle(limit: Duration = .seconds(60)) -> Bool {
        let end = self.now.advanced(by: limit)
        self.runUntilIdle()
        while let deadline = self.loop.nextDeadline {
            guard deadline <= end else {
                return false
            }
            self.now = max(self.now, deadline)
            self.runUntilIdle()
        }
        return true
    }

    /// Ends the loop: what is queued still runs, timers are cancelled, later work is refused.
    public func stop() {
        guard !self.loop.isStopped else {
            return
        }
        self.takeOver()
        self.loop.end()
    }

    /// Makes the calling thread the loop's thread, at the virtual time.
    private func takeOver() {
        self.loop.begin()
        self.loop.pin(time: self.now)
    }
}
