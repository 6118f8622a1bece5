// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop

/// Who waits for the beginning and for the end of an endpoint's thread, and what they are told.
final class DriverLife: Sendable {
    private struct State {
        var starting: CheckedContinuation<Result<UInt16, QUICError>, Never>?
        var ending: CheckedContinuation<Void, Never>?
        var isEnding = false
        var hasEnded = false
    }

    private let state = Locked(State())

    /// Runs `launch`, which starts the thread, and waits for ``settleStart(_:)``.
    /// - Returns: the port.
    func start(_ launch: () -> Void) async throws(QUICError) -> UInt16 {
        let outcome = await withCheckedContinuation { continuation in
            self.state.withLock { $0.starting = continuation }
            launch()
        }
        return try outcome.get()
    }

    /// Tells who waits for the start how it went. Only the first call counts.
    func settleStart(_ outcome: Result<UInt16, QUICError>) {
        let waiting = self.state.withLock { state in
            let waiting = state.starting
            state.starting = nil
            return waiting
        }
        waiting?.resume(returning: outcome)
    }

    /// Whether ``beginEnd()`` has been called.
    var isEnding: Bool {
        self.state.withLock { $0.isEnding }
    }

    /// The thread will do nothing more for connections.
    func beginEnd() {
        self.state.withLock { $0.isEnding = true }
    }

    /// The thread has let go of everything.
    func didEnd() {
        let waiting = self.state.withLock { state in
            state.hasEnded = true
            let waiting = state.ending
            state.ending = nil
            return waiting
        }
        waiting?.resume()
    }

    /// Waits for ``didEnd()``. By one caller.
    func waitForEnd() async {
        await withCheckedContinuation { continuation in
            let hasEnded = self.state.withLock { state in
                if !state.hasEnded {
                    state.ending = continuation
                }
                return state.hasEnded
            }
            if hasEnded {
                continuation.resume()
            }
        }
    }
}
