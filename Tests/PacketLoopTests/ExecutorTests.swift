// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import Synchronization
import TestSupport
import Testing

/// An actor pinned to a loop.
private actor Pinned {
    let loop: PacketLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe self.loop.asUnownedSerialExecutor()
    }
    private(set) var count = 0

    init(loop: PacketLoop) {
        self.loop = loop
    }

    func step() -> Bool {
        self.count += 1
        return self.loop.isOnLoop
    }

    /// Entered by a callback that already stands on the loop.
    nonisolated func enter() -> Int {
        self.assumeIsolated { actor in
            actor.count += 1
            return actor.count
        }
    }
}

@Suite("Executors", .timeLimit(.minutes(1)))
struct ExecutorTests {
    @Test("An actor pinned to the loop runs on its thread, called from anywhere")
    func pinned() async {
        let driver = LoopThread()
        let actor = Pinned(loop: driver.loop)
        for _ in 0..<1_000 {
            let isOnLoop = await actor.step()
            #expect(isOnLoop)
        }
        #expect(await actor.count == 1_000)
        driver.stop()
    }

    @Test("A task that prefers the loop runs there, and its calls to a pinned actor are not queued")
    func preference() async {
        let driver = LoopThread()
        let loop = driver.loop
        let actor = Pinned(loop: loop)
        let queued = await Task(executorPreference: loop.tasks) {
            _ = await actor.step()
            let before = loop.counters.posts
            for _ in 0..<1_000 {
                _ = await actor.step()
            }
            #expect(loop.isOnLoop)
            return loop.counters.posts - before
        }.value
        // Each call may be queued twice at most (there and back); it never leaves the thread.
        #expect(queued <= 2_000)
        #expect(loop.counters.wakes < 100)
        driver.stop()
    }

    @Test("A callback on the loop enters the actor synchronously")
    func synchronousDoor() async throws {
        let driver = LoopThread()
        let actor = Pinned(loop: driver.loop)
        let count = try await driver.loop.run { actor.enter() }
        #expect(count == 1)
        driver.stop()
    }

    @Test("A task that prefers a stopped loop still ends")
    func preferenceAfterStop() async {
        let driver = LoopThread()
        driver.stop()
        let value = await Task(executorPreference: driver.loop.tasks) { 7 }.value
        #expect(value == 7)
    }

    @Test("Entering a pinned actor from the wrong thread stops the process")
    func wrongThread() async {
        await #expect(processExitsWith: .failure) {
            let actor = Pinned(loop: PacketLoop(label: "nobody"))
            _ = actor.enter()
        }
    }
}
