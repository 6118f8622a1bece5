// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import WebTransport

/// Carries the answer to a request from the loop to the task that made it.
private final class Answer<Value: Sendable>: Sendable {
    let result = Locked<Result<Value, MoQError>?>(nil)
    let waiter = Waiter()

    func resolve(_ result: Result<Value, MoQError>) {
        self.result.withLock { $0 = result }
        self.waiter.wake()
    }
}

extension LoopBound where Value == MoQSession {
    /// Makes a request on the loop and waits for its answer, wherever the caller runs.
    ///
    /// `start` is called on the loop, makes the request, sees to it that its second argument is called once, and returns
    /// what cancels the request. That is called when the waiting task is cancelled.
    func request<Answered: Sendable>(
        _ start:
            @escaping @Sendable (
                _ session: MoQSession, _ answer: @escaping (Result<Answered, MoQError>) -> Void
            ) -> () -> Void
    ) async throws(MoQError) -> Answered {
        let answer = Answer<Answered>()
        let cancel = try await self.onLoop { session in
            LoopBound<() -> Void>(start(session) { answer.resolve($0) }, on: session.loop)
        }
        await answer.waiter.wait()
        guard let result = answer.result.withLock({ $0 }) else {
            cancel.loop.post { cancel.value() }
            throw MoQError(code: .cancelled, message: "the task that waited was cancelled")
        }
        return try result.get()
    }

    /// Does something with the session, on its loop.
    /// - Throws: `sessionClosed` when the loop has stopped.
    func onLoop<Result: Sendable>(
        _ body: @escaping @Sendable (MoQSession) -> Result
    ) async throws(MoQError) -> Result {
        do {
            return try await self.loop.run { body(self.value) }
        } catch {
            throw MoQError(code: .sessionClosed, message: "the loop of the session has stopped")
        }
    }
}
