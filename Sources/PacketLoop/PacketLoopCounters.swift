// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What a loop has done so far, and what it holds now. A snapshot: the numbers are read one after another.
public struct PacketLoopCounters: Sendable, Hashable {
    /// Pieces of work and jobs accepted from any thread.
    public var posts: UInt64 = 0
    /// Times the sleeping loop was woken for them. Far below `posts` under load: one wake serves all that is queued.
    public var wakes: UInt64 = 0
    /// Times the loop took the lock to fetch them. Not more than one for each wake (and one for what came before the loop
    /// could be woken): none while packets flow and nobody posts.
    public var inboxDrains: UInt64 = 0
    /// Turns of the loop: ends of batches of received or sent packets, wake-ups, timers.
    public var turns: UInt64 = 0
    /// Pieces of work and jobs that have run.
    public var jobsRun: UInt64 = 0
    /// Pieces of work and jobs that wait now.
    public var queuedJobs: Int = 0
    /// Pieces of work and jobs refused or given up because the loop had stopped.
    public var dropped: UInt64 = 0
    /// Timers that fired.
    public var timersFired: UInt64 = 0
    /// Timers cancelled before they fired, including those still armed when the loop stopped.
    public var timersCancelled: UInt64 = 0
    /// Timers that are armed now.
    public var liveTimers: Int = 0

    /// All zero.
    public init() {}

    /// Adds those of another loop.
    public mutating func add(_ other: PacketLoopCounters) {
        self.posts &+= other.posts
        self.wakes &+= other.wakes
        self.inboxDrains &+= other.inboxDrains
        self.turns &+= other.turns
        self.jobsRun &+= other.jobsRun
        self.queuedJobs += other.queuedJobs
        self.dropped &+= other.dropped
        self.timersFired &+= other.timersFired
        self.timersCancelled &+= other.timersCancelled
        self.liveTimers += other.liveTimers
    }
}
