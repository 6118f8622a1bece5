// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop

/// Bounds how long something may take, without counting on its ever coming back.
enum Deadline {
    /// Lets through whoever comes first.
    private final class Gate: Sendable {
        private let waiting: Locked<CheckedContinuation<Bool, Never>?>

        init(_ continuation: CheckedContinuation<Bool, Never>) {
            self.waiting = Locked(continuation)
        }

        func open(_ isInTime: Bool) {
            let continuation = self.waiting.withLock { waiting in
                let continuation = waiting
                waiting = nil
                return continuation
            }
            continuation?.resume(returning: isInTime)
        }
    }

    /// Runs `body`; returns whether it came back within `patience`. Otherwise it goes on, and nobody waits for it.
    static func run(within patience: Duration, _ body: @escaping @Sendable () async -> Void) async -> Bool {
        await withCheckedContinuation { continuation in
            let gate = Gate(continuation)
            let clock = Task {
                try? await Task.sleep(for: patience)
                if !Task.isCancelled { gate.open(false) }
            }
            Task {
                await body()
                gate.open(true)
                clock.cancel()
            }
        }
    }
}
