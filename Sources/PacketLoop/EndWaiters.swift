// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Tasks that wait for something that happens once.
final class EndWaiters: Sendable {
    private struct State {
        var hasEnded = false
        var nextID: UInt64 = 0
        var waiting: [UInt64: CheckedContinuation<Void, Never>] = [:]
    }

    private let state = Locked(State())

    /// Waits until ``end()``, or until the task is cancelled.
    func wait() async {
        let id = self.state.withLock { state in
            state.nextID &+= 1
            return state.nextID
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = self.state.withLock { state in
                    // The handler may have run before there was anybody to wake.
                    if state.hasEnded || Task.isCancelled {
                        return true
                    }
                    state.waiting[id] = continuation
                    return false
                }
                if isOver {
                    continuation.resume()
                }
            }
        } onCancel: {
            self.state.withLock { $0.waiting.removeValue(forKey: id) }?.resume()
        }
    }

    /// It has happened.
    func end() {
        let waiting = self.state.withLock { state in
            state.hasEnded = true
            let waiting = state.waiting
            state.waiting = [:]
            return waiting
        }
        for continuation in waiting.values {
            continuation.resume()
        }
    }
}
