// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import PacketLoop

extension Harness {
    /// The session of the subscriber, as tasks see it.
    var reading: LoopBound<MoQSession> { LoopBound(self.subscriber, on: self.loop) }

    /// The session of the publisher, as tasks see it.
    var writing: LoopBound<MoQSession> { LoopBound(self.publisher, on: self.loop) }

    /// Lets time pass until a task has its result.
    @MainActor
    func wait<Value: Sendable>(for task: Task<Value, any Error>) async throws -> Value {
        let (driver, done) = (self.driver, Box(false))
        Task { @MainActor in
            _ = await task.result
            done.value = true
        }
        for _ in 0..<20_000 where done.value != true {
            driver.advance(by: .milliseconds(5))
            await Task.yield()
        }
        guard done.value == true else {
            task.cancel()
            throw Missing(what: "a task did not come to its end")
        }
        let result = await task.result
        // The main actor may have changed its thread: the loop goes along.
        driver.runUntilIdle()
        return try result.get()
    }

    /// Runs a task while time passes.
    @MainActor
    func run<Value: Sendable>(_ body: @escaping @MainActor () async throws -> Value) async throws -> Value {
        try await self.wait(for: Task.immediate { try await body() })
    }
}
