// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CLoopSupport
import Synchronization

/// The loop that everything of one shard runs on: its connections, sessions, tracks and timers.
///
/// A loop has no thread of its own. A *driver* lends it one: the QUIC network thread in production, a test's thread in
/// virtual time (``ManualLoopDriver``). What is confined to the loop is touched on that thread only and needs no lock.
///
/// There are two doors onto the loop. Callers elsewhere use ``run(_:)``, ``post(_:)``, or an actor that names the loop
/// as its executor. Callbacks that the driver makes already stand on the loop and just go ahead; ``preconditionOnLoop()``
/// checks that.
///
/// ```swift
/// actor Session {
///     let loop: PacketLoop
///     nonisolated var unownedExecutor: UnownedSerialExecutor {
///         unsafe self.loop.asUnownedSerialExecutor()
///     }
/// }
/// ```
public final class PacketLoop: SerialExecutor, @unchecked Sendable {
    // Unchecked because part of the state (`local`, `timers`, `batchTime`) is confined to the driving thread instead of
    // being locked; everything that other threads reach is behind a mutex or atomic.

    /// What other threads hand in.
    private struct Inbox {
        var jobs: [LoopJob] = []
        var isClosed = false
        /// What came after that and must not run beside the loop's last steps.
        var late: [@Sendable () -> Void] = []
        /// Whether these are done as well.
        var isOver = false
        var posts: UInt64 = 0
        var dropped: UInt64 = 0
        /// How often the loop has emptied it.
        var drains: UInt64 = 0
    }

    /// How to wake the driver. A type of its own, because a closure that is kept directly in a generic container is
    /// wrapped once more each time it is looked at.
    private struct Waker {
        let wake: @Sendable () -> Void
    }

    /// How often one turn looks for newly queued work before it lets packets and timers have theirs.
    private static let roundsPerTurn = 4

    /// How many rounds the loop grants to leftovers when it stops.
    private static let roundsAtEnd = 1_000

    /// The loop's name, for logs, and the name of its thread.
    public let label: String

    /// Runs tasks on the loop: `Task(executorPreference: loop.tasks)`. A pinned actor alone does not keep the tasks
    /// that call it on the loop; this preference does.
    public let tasks: PacketLoopTaskExecutor

    private let clock: @Sendable () -> UInt64
    private let inbox = Locked(Inbox())
    private let waker = Locked<Waker?>(nil)
    private let endWaiters = EndWaiters()
    private let wakePending = Atomic<Bool>(false)
    private let owner = Atomic<UInt>(0)
    private let wakes = Atomic<UInt64>(0)
    private let localPosts = Atomic<UInt64>(0)
    private let jobsRun = Atomic<UInt64>(0)
    private let localQueued = Atomic<Int>(0)
    private let timersFired = Atomic<UInt64>(0)
    private let timersCancelled = Atomic<UInt64>(0)
    private let liveTimers = Atomic<Int>(0)
    private let turns = Atomic<UInt64>(0)

    // Confined to the driving thread.
    private var local: [LoopJob] = []
    private var timers = TimerQueue()
    private var batchTime: UInt64?
    private var turnCount: UInt64 = 0

    /// Creates a loop. It accepts work at once and does it when a driver lends it a thread.
    public convenience init(label: String) {
        self.init(label: label, clock: { cls_monotonic_microseconds() })
    }

    /// Creates a loop on another clock (microseconds, monotonic).
    package init(label: String, clock: @escaping @Sendable () -> UInt64) {
        self.label = label
        self.clock = clock
        self.tasks = PacketLoopTaskExecutor()
        self.tasks.bind(to: self)
    }

    // MARK: - Where and when

    /// Whether the caller stands on the loop.
    public var isOnLoop: Bool {
        self.owner.load(ordering: .relaxed) == cls_thread_identity()
    }

    /// Stops the process if the caller does not stand on the loop.
    public func preconditionOnLoop() {
        precondition(self.isOnLoop, "this must be called on the packet loop")
    }

    /// Stops the process of a debug build if the caller does not stand on the loop; nothing in a release build. For
    /// calls that are made often, by our own callers: what a peer sends arrives on the loop. Once the loop has stopped
    /// nothing runs beside the caller, and every thread may clear up.
    public func assertOnLoop() {
        assert(self.isOnLoop || self.isStopped, "this must be called on the packet loop")
    }

    /// The time on the loop's clock. On the loop it is read once per batch of events, so that everything in a batch
    /// happens at one instant; elsewhere it is read afresh.
    public var now: LoopInstant {
        guard self.isOnLoop else {
            return LoopInstant(microseconds: self.clock())
        }
        if let time = self.batchTime {
            return LoopInstant(microseconds: time)
        }
        let time = self.clock()
        self.batchTime = time
        return LoopInstant(microseconds: time)
    }

    // MARK: - Work

    /// Has `work` run on the loop. Callable from any thread. Work of one thread runs in the order it was posted, never
    /// inside the call, even on the loop itself.
    /// - Returns: whether the loop took it. After the loop has stopped work is dropped and counted.
    @discardableResult
    public func post(_ work: @escaping @Sendable () -> Void) -> Bool {
        self.enqueue(.work(work))
    }

    /// Runs `body` on the loop and returns what it returned. On the loop already, it runs at once.
    /// - Throws: what `body` throws; ``PacketLoopError/stopped`` when the loop has stopped or stops before the work's
    ///   turn.
    public func run<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
        if self.isOnLoop {
            return try body()
        }
        return try await withCheckedThrowingContinuation { continuation in
            let call: @Sendable (Bool) -> Void = { stopped in
                if stopped {
                    continuation.resume(throwing: PacketLoopError.stopped)
                } else {
                    continuation.resume(with: Result { try body() })
                }
            }
            if !self.enqueue(.call(call)) {
                call(true)
            }
        }
    }

    /// Queues a job of an actor that is pinned to the loop. Called by the Swift runtime. After the loop has stopped
    /// such a job is dropped and counted: nothing may touch the actor's state on another thread.
    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        self.enqueue(.serial(job))
    }

    /// Stops the process if the caller does not stand on the loop. Called by the Swift runtime, for instance by
    /// `assumeIsolated` in a callback that no job surrounds.
    public func checkIsolated() {
        self.preconditionOnLoop()
    }

    /// Whether the caller stands on the loop. Called by the Swift runtime.
    public func isIsolatingCurrentContext() -> Bool? {
        self.isOnLoop
    }

    /// Queues a job and makes sure that the loop will see it.
    @discardableResult
    func enqueue(_ job: LoopJob, countingDrops: Bool = true) -> Bool {
        if self.isOnLoop {
            // The loop is awake, and looks at this queue before it sleeps: no lock, no wake.
            self.local.append(job)
            self.localPosts.add(1, ordering: .relaxed)
            self.localQueued.add(1, ordering: .relaxed)
            return true
        }
        let accepted = self.inbox.withLock { inbox in
            guard !inbox.isClosed else {
                inbox.dropped &+= countingDrops ? 1 : 0
                return false
            }
            inbox.jobs.append(job)
            inbox.posts &+= 1
            return true
        }
        // Set after the job is in the queue, and cleared by the loop before it looks there: a job is never left behind,
        // and whoever finds the flag set knows that a wake is on its way.
        if accepted, !self.wakePending.exchange(true, ordering: .sequentiallyConsistent) {
            self.waker.withLock { waker in
                if let waker {
                    self.wakes.add(1, ordering: .relaxed)
                    waker.wake()
                }
            }
        }
        return accepted
    }

    // MARK: - Timers

    /// Has `body` called on the loop at `deadline`, or as soon after as the loop gets to it. Precondition: called on
    /// the loop.
    @discardableResult
    public func schedule(at deadline: LoopInstant, _ body: @escaping () -> Void) -> LoopTimer {
        self.preconditionOnLoop()
        let timer = self.timers.schedule(at: deadline, body: body)
        self.liveTimers.store(self.timers.count, ordering: .relaxed)
        return timer
    }

    /// Has `body` called on the loop when `delay` has passed. Precondition: called on the loop.
    @discardableResult
    public func schedule(after delay: Duration, _ body: @escaping () -> Void) -> LoopTimer {
        self.schedule(at: self.now.advanced(by: delay), body)
    }

    // MARK: - Counters

    /// What the loop has done, and what it holds. Callable from any thread.
    public var counters: PacketLoopCounters {
        if self.isOnLoop {
            self.publishCounters()
        }
        var counters = PacketLoopCounters()
        self.inbox.withLock { inbox in
            counters.posts = inbox.posts
            counters.dropped = inbox.dropped
            counters.queuedJobs = inbox.jobs.count
            counters.inboxDrains = inbox.drains
        }
        counters.posts &+= self.localPosts.load(ordering: .relaxed)
        counters.queuedJobs += self.localQueued.load(ordering: .relaxed)
        counters.wakes = self.wakes.load(ordering: .relaxed)
        counters.turns = self.turns.load(ordering: .relaxed)
        counters.jobsRun = self.jobsRun.load(ordering: .relaxed)
        counters.timersFired = self.timersFired.load(ordering: .relaxed)
        counters.timersCancelled = self.timersCancelled.load(ordering: .relaxed)
        counters.liveTimers = self.liveTimers.load(ordering: .relaxed)
        return counters
    }

    // MARK: - For the driver

    /// Says how to wake the driver's thread. Called when work arrives from elsewhere and no wake is under way.
    package func attach(wake: @escaping @Sendable () -> Void) {
        self.waker.withLock { $0 = Waker(wake: wake) }
    }

    /// Forgets how to wake the driver. When this returns, no thread is inside the wake closure, and none will enter it.
    package func detach() {
        self.waker.withLock { $0 = nil }
    }

    /// Makes the calling thread the loop's thread.
    package func begin() {
        self.owner.store(cls_thread_identity(), ordering: .relaxed)
        self.batchTime = nil
    }

    /// Fixes the time that the loop's thread reads until the next batch.
    package func pin(time: LoopInstant) {
        self.batchTime = time.microseconds
    }

    /// Ends the loop, on its thread: what is queued still runs, then the queue closes and all timers are cancelled.
    /// Work that keeps posting itself is given up after a bounded number of rounds; who awaits such work gets
    /// ``PacketLoopError/stopped``.
    package func end() {
        self.preconditionOnLoop()
        for _ in 0..<Self.roundsAtEnd where self.hasWork {
            self.drainOnce()
        }
        // What came after that look at the queue has been accepted as well, and somebody may wait for it.
        let last = self.inbox.withLock { inbox in
            inbox.isClosed = true
            let jobs = inbox.jobs
            inbox.jobs = []
            return jobs
        }
        for job in last {
            self.perform(job)
        }
        self.jobsRun.add(UInt64(last.count), ordering: .relaxed)
        // Letting go of a timer may post, and a job may schedule a timer.
        for _ in 0..<Self.roundsAtEnd where !self.local.isEmpty || self.timers.count > 0 {
            self.timers.cancelAll()
            self.drainOnce()
        }
        self.timers.cancelAll()
        self.finishLate()
        let leftovers = self.local
        self.local = []
        self.localQueued.store(0, ordering: .relaxed)
        self.owner.store(0, ordering: .relaxed)
        self.giveUp(leftovers)
        self.publishCounters()
        self.endWaiters.end()
    }

    /// Does what came too late to be queued, until there is no more of it.
    private func finishLate() {
        while true {
            let late = self.inbox.withLock { inbox in
                let late = inbox.late
                inbox.late = []
                inbox.isOver = late.isEmpty
                return late
            }
            guard !late.isEmpty else {
                return
            }
            for work in late {
                work()
            }
            self.timers.cancelAll()
        }
    }

    /// Has `work` run on the loop, or here when the loop has stopped: never beside anything that runs there. Callable from any
    /// other thread.
    func settle(_ work: @escaping @Sendable () -> Void) {
        guard !self.enqueue(.work(work)) else {
            return
        }
        let isOver = self.inbox.withLock { inbox in
            if !inbox.isOver {
                inbox.late.append(work)
            }
            return inbox.isOver
        }
        if isOver {
            work()
        }
    }

    /// Waits until the loop has stopped, because somebody ended it or because its thread failed. Returns early when the
    /// task is cancelled.
    public func waitUntilStopped() async {
        await self.endWaiters.wait()
    }

    /// Whether the loop has stopped.
    public var isStopped: Bool {
        self.inbox.withLock { $0.isClosed }
    }

    /// Whether work is queued. One atomic load when there is none.
    package var hasWork: Bool {
        !self.local.isEmpty || self.wakePending.load(ordering: .sequentiallyConsistent)
    }

    /// The earliest deadline of a timer. (loop)
    package var nextDeadline: LoopInstant? {
        self.timers.nextDeadline
    }

    /// Does what the loop itself has queued, between two events of one batch: what a packet brought about is done before
    /// the next one is looked at, and can still leave with the packets that end the batch. In a bounded number of rounds.
    ///
    /// Looks at nothing that other threads reach: it takes no lock, and with nothing queued it costs one comparison. What
    /// other threads have handed in, and the timers (and with them a look at the clock), wait for the ``turn(now:)`` at
    /// the end of the batch.
    package func turnWithinBatch() {
        var rounds = 0
        while rounds < Self.roundsPerTurn, !self.local.isEmpty {
            self.perform(remote: [])
            rounds += 1
        }
    }

    /// Does what is queued and fires the timers that are due, in bounded amounts: jobs queued meanwhile run in a later
    /// round, and after a few rounds in a later turn. Costs one atomic load when there is nothing to do, and at most one
    /// lock for each wake.
    package func turn(now: LoopInstant? = nil) {
        self.turnCount &+= 1
        if let now {
            self.batchTime = now.microseconds
        }
        var rounds = 0
        while rounds < Self.roundsPerTurn, self.hasWork {
            self.drainOnce()
            rounds += 1
        }
        if let deadline = self.timers.nextDeadline, deadline <= self.now {
            self.timers.fireDue(at: self.now)
            self.publishCounters()
        }
    }

    /// How long the driver may wait from `now` on before it must turn again: zero when work is queued, no limit (nil)
    /// when nothing is scheduled. The batch ends here: the next event reads the clock again.
    package func timeUntilNextTurn(from now: LoopInstant) -> UInt64? {
        self.batchTime = nil
        self.publishCounters()
        if self.hasWork {
            return 0
        }
        guard let deadline = self.timers.nextDeadline else {
            return nil
        }
        return deadline <= now ? 0 : deadline.microseconds &- now.microseconds
    }

    // MARK: - Draining

    /// One round: everything that is queued at this moment, and nothing that is queued meanwhile.
    private func drainOnce() {
        var remote: [LoopJob] = []
        if self.wakePending.load(ordering: .sequentiallyConsistent) {
            self.wakePending.store(false, ordering: .sequentiallyConsistent)
            self.inbox.withLock { inbox in
                swap(&inbox.jobs, &remote)
                inbox.drains &+= 1
            }
        }
        self.perform(remote: remote)
    }

    /// Runs jobs that came from other threads, and then those of the loop's own that are queued at this moment.
    private func perform(remote: [LoopJob]) {
        var mine: [LoopJob] = []
        swap(&self.local, &mine)
        self.localQueued.subtract(mine.count, ordering: .relaxed)
        for job in remote {
            self.perform(job)
        }
        for job in mine {
            self.perform(job)
        }
        self.jobsRun.add(UInt64(remote.count + mine.count), ordering: .relaxed)
    }

    private func perform(_ job: LoopJob) {
        switch job {
        case .serial(let job):
            unsafe job.runSynchronously(
                isolatedTo: self.asUnownedSerialExecutor(),
                taskExecutor: self.tasks.asUnownedTaskExecutor()
            )
        case .task(let job):
            unsafe job.runSynchronously(on: self.tasks.asUnownedTaskExecutor())
        case .work(let work):
            work()
        case .call(let call):
            call(false)
        }
    }

    /// Settles what can no longer run here.
    private func giveUp(_ jobs: [LoopJob]) {
        var dropped: UInt64 = 0
        for job in jobs {
            switch job {
            case .task(let job):
                globalConcurrentExecutor.enqueue(job)
            case .call(let call):
                dropped &+= 1
                call(true)
            case .serial, .work:
                dropped &+= 1
            }
        }
        self.inbox.withLock { $0.dropped &+= dropped }
    }

    private func publishCounters() {
        self.turns.store(self.turnCount, ordering: .relaxed)
        self.timersFired.store(self.timers.fired, ordering: .relaxed)
        self.timersCancelled.store(self.timers.cancelled, ordering: .relaxed)
        self.liveTimers.store(self.timers.count, ordering: .relaxed)
    }
}
