// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import PacketLoop

/// Keeps something that was made on a loop where a command can find it later. Set once, on the loop.
final class LoopCell<Value>: Sendable {
    private let content = Locked<LoopBound<Value>?>(nil)

    /// Keeps a value. Precondition: called on the loop.
    func set(_ value: Value, on loop: PacketLoop) {
        let bound = LoopBound(value, on: loop)
        self.content.withLock { $0 = bound }
    }

    /// The value, nil before it was set. To be opened on the loop.
    var bound: LoopBound<Value>? {
        self.content.withLock { $0 }
    }

    /// Has `body` called on the loop with the value, and waits until it calls its argument, or until the loop has ended: then
    /// nobody will. Returns at once when there is no value.
    func finish(_ body: @escaping @Sendable (Value, @escaping () -> Void) -> Void) async {
        guard let bound = self.bound else { return }
        let outcome = Outcome<Void>()
        let isAccepted = bound.loop.post {
            body(bound.value) {
                outcome.succeed(())
            }
        }
        guard isAccepted else { return }
        let watch = Task {
            await bound.loop.waitUntilStopped()
            outcome.succeed(())
        }
        _ = try? await outcome.value()
        watch.cancel()
    }
}
