// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Synchronization

/// One task that waits, once. It is woken exactly once: on the loop, or by its cancellation on whatever thread.
///
///     fresh ──park──► parked ──wake: continuation resumed──► woken
///       └──────────wake: parking goes on at once────────────────┘
package final class Waiter: Sendable {
    private enum Step {
        static let fresh: UInt8 = 0
        static let parked: UInt8 = 1
        static let woken: UInt8 = 2
    }

    /// Keeps a continuation where another thread can find it.
    private final class Parked: Sendable {
        let continuation: CheckedContinuation<Void, Never>

        init(_ continuation: CheckedContinuation<Void, Never>) {
            self.continuation = continuation
        }
    }

    /// The place in the line: lower came first. Who has to wait again keeps it.
    package let ticket: UInt64
    private let step = Atomic<UInt8>(Step.fresh)
    private let parked = AtomicLazyReference<Parked>()

    /// Makes somebody who has not begun to wait.
    package init(ticket: UInt64 = 0) {
        self.ticket = ticket
    }

    /// Suspends the task until somebody calls `wake`, or the task is cancelled. Comes back where it was called.
    package func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                self.park(continuation)
            }
        } onCancel: {
            self.wake()
        }
    }

    /// Resumes the task, soon and not within this call. Callable from any thread.
    ///
    /// - Returns: whether this call did it and none before.
    @discardableResult
    package func wake() -> Bool {
        let before = self.step.exchange(Step.woken, ordering: .acquiringAndReleasing)
        if before == Step.parked { self.parked.load()?.continuation.resume() }
        return before != Step.woken
    }

    private func park(_ continuation: CheckedContinuation<Void, Never>) {
        _ = self.parked.storeIfNil(Parked(continuation))
        let (isParked, _) = self.step.compareExchange(
            expected: Step.fresh,
            desired: Step.parked,
            ordering: .acquiringAndReleasing
        )
        if !isParked { continuation.resume() }
    }
}
