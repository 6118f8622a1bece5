// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import PacketLoop

/// The one end that a command comes to. Whoever reports an end first, from any thread, decides; later reports are
/// ignored. One task waits for it.
final class Outcome<Value: Sendable>: Sendable {
    private enum State {
        case open
        case awaited(CheckedContinuation<Value, any Error>)
        case decided(Result<Value, CommandFailure>)
    }

    private let state = Locked(State.open)

    /// Reports an end. Returns whether it was the first.
    @discardableResult
    func complete(with result: Result<Value, CommandFailure>) -> Bool {
        let (isFirst, waiter) = self.state.withLock { state -> (Bool, CheckedContinuation<Value, any Error>?) in
            switch state {
            case .open:
                state = .decided(result)
                return (true, nil)
            case .awaited(let continuation):
                state = .decided(result)
                return (true, continuation)
            case .decided:
                return (false, nil)
            }
        }
        waiter?.resume(with: result)
        return isFirst
    }

    /// Reports a good end.
    @discardableResult
    func succeed(_ value: Value) -> Bool {
        self.complete(with: .success(value))
    }

    /// Reports a failure.
    @discardableResult
    func fail(_ failure: CommandFailure) -> Bool {
        self.complete(with: .failure(failure))
    }

    /// How it ended, nil as long as it did not.
    var result: Result<Value, CommandFailure>? {
        self.state.withLock { state in
            if case .decided(let result) = state {
                return result
            }
            return nil
        }
    }

    /// Waits for the end, for who has to put things away whatever it is. Called once, instead of ``value()``.
    func settled() async -> Result<Value, any Error> {
        do {
            return .success(try await self.value())
        } catch {
            return .failure(error)
        }
    }

    /// Waits for the end. Called once.
    func value() async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let decided = self.state.withLock { state -> Result<Value, CommandFailure>? in
                if case .decided(let result) = state {
                    return result
                }
                state = .awaited(continuation)
                return nil
            }
            if let decided {
                continuation.resume(with: decided)
            }
        }
    }
}
