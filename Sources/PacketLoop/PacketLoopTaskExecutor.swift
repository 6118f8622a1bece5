// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Runs the jobs of tasks on a packet loop: `Task(executorPreference: loop.tasks) { … }`.
///
/// A second object beside the loop, which is the executor of actors: with the preference set, calls between a task and
/// an actor of the same loop do not leave the thread and need not be queued.
///
/// After the loop has stopped, tasks continue on the global pool: they end instead of waiting for a thread that is
/// gone.
public final class PacketLoopTaskExecutor: TaskExecutor, @unchecked Sendable {
    // Unchecked because a weak reference has to be a variable. It is written once, by the loop's initialiser, before
    // anybody else can reach this object.
    private weak var loop: PacketLoop?

    init() {}

    func bind(to loop: PacketLoop) {
        self.loop = loop
    }

    /// Queues a job of a task. Called by the Swift runtime.
    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if let loop = self.loop, loop.enqueue(.task(job), countingDrops: false) {
            return
        }
        globalConcurrentExecutor.enqueue(job)
    }
}
