// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// One thing the loop has been asked to run.
enum LoopJob: Sendable {
    /// A job of an actor that is pinned to the loop.
    case serial(UnownedJob)
    /// A job of a task that prefers the loop's task executor.
    case task(UnownedJob)
    /// A posted closure.
    case work(@Sendable () -> Void)
    /// A closure that somebody waits for. It is called exactly once; the argument says that the loop stopped before
    /// the work could run.
    case call(@Sendable (_ stopped: Bool) -> Void)
}
