// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import PacketLoop
import Synchronization
import TestSupport
import Testing

@Suite("Work on the loop", .timeLimit(.minutes(1)))
struct WorkTests {
    @Test("Sixteen threads post: each one's work runs in its order, and far fewer wakes than posts are written")
    func manyProducers() {
        let driver = LoopThread()
        let loop = driver.loop
        let perThread = 4_000
        let seen = Locked([[Int]](repeating: [], count: 16))
        let threads = DispatchGroup()
        for producer in 0..<16 {
            threads.enter()
            Thread.detachNewThread {
                for number in 0..<perThread {
                    loop.post { seen.withLock { $0[producer].append(number) } }
                }
                threads.leave()
            }
        }
        threads.wait()
        driver.stop()
        let inOrder = Array(0..<perThread)
        seen.withLock { lists in
            for list in lists {
                #expect(list == inOrder)
            }
        }
        let counters = loop.counters
        #expect(counters.posts == 64_000)
        #expect(counters.jobsRun == 64_000)
        #expect(counters.wakes < counters.posts / 2)
        #expect(counters.queuedJobs == 0)
        #expect(counters.dropped == 0)
    }

    @Test("A burst posted while the loop is busy costs one wake")
    func oneWakePerBurst() {
        let loop = PacketLoop(label: "wakes")
        let wakes = Locked(0)
        loop.attach { wakes.withLock { $0 += 1 } }
        let ran = Locked(0)
        for _ in 0..<1_000_000 {
            loop.post { ran.withLock { $0 += 1 } }
        }
        #expect(wakes.withLock { $0 } == 1)
        loop.begin()
        #expect(loop.hasWork)
        loop.turn()
        #expect(ran.withLock { $0 } == 1_000_000)
        #expect(loop.counters.inboxDrains == 1)
        #expect(!loop.hasWork)
        // On the loop nothing needs waking.
        loop.post { ran.withLock { $0 += 1 } }
        #expect(wakes.withLock { $0 } == 1)
        #expect(loop.timeUntilNextTurn(from: loop.now) == 0)
        loop.end()
        #expect(ran.withLock { $0 } == 1_000_001)
    }

    @Test("Between the packets of a batch only the loop's own work runs, and no lock is taken")
    func withinBatch() {
        let loop = PacketLoop(label: "batch")
        let ran = Locked<[String]>([])
        loop.post { ran.withLock { $0.append("from elsewhere") } }
        loop.begin()
        loop.schedule(after: .zero) { ran.withLock { $0.append("timer") } }
        loop.post {
            ran.withLock { $0.append("own") }
            loop.post { ran.withLock { $0.append("own's own") } }
        }
        for _ in 0..<10 {
            loop.turnWithinBatch()
        }
        #expect(ran.withLock { $0 } == ["own", "own's own"])
        #expect(loop.counters.inboxDrains == 0)
        #expect(loop.counters.turns == 0)
        loop.turn()
        #expect(ran.withLock { $0 } == ["own", "own's own", "from elsewhere", "timer"])
        #expect(loop.counters.inboxDrains == 1)
        #expect(loop.counters.turns == 1)
        loop.turn()
        #expect(loop.counters.inboxDrains == 1)
        loop.end()
    }

    @Test("Work that keeps posting itself leaves the loop between rounds, and cannot keep it from stopping")
    func selfPosting() {
        let loop = PacketLoop(label: "self")
        final class Chain: Sendable {
            let count = Atomic<Int>(0)
            func step(_ loop: PacketLoop) {
                self.count.add(1, ordering: .relaxed)
                loop.post { self.step(loop) }
            }
        }
        let chain = Chain()
        loop.begin()
        loop.post { chain.step(loop) }
        loop.turn()
        let afterOne = chain.count.load(ordering: .relaxed)
        #expect(afterOne >= 1 && afterOne < 100)
        #expect(loop.hasWork)
        loop.turn()
        #expect(chain.count.load(ordering: .relaxed) == 2 * afterOne)
        loop.end()
        #expect(!loop.post {})
        #expect(loop.counters.dropped == 2)
        #expect(loop.counters.queuedJobs == 0)
    }

    @Test("run returns what the work returned, throws what it threw, and throws after the stop")
    func run() async throws {
        struct Refused: Error, Equatable {}
        let driver = LoopThread()
        let loop = driver.loop
        let value = try await loop.run { loop.isOnLoop ? 42 : 0 }
        #expect(value == 42)
        await #expect(throws: Refused()) {
            try await loop.run { throw Refused() }
        }
        let waiting = Task { await loop.waitUntilStopped() }
        let impatient = Task { await loop.waitUntilStopped() }
        impatient.cancel()
        await impatient.value
        #expect(!loop.isStopped)
        driver.stop()
        await waiting.value
        await loop.waitUntilStopped()
        await #expect(throws: PacketLoopError.stopped) {
            try await loop.run { 1 }
        }
        #expect(loop.counters.dropped == 1)
        #expect(loop.isStopped)
    }

    @Test("What is queued when the loop stops still runs; timers do not")
    func drainAtStop() {
        let loop = PacketLoop(label: "stop")
        let ran = Atomic<Int>(0)
        loop.begin()
        loop.schedule(after: .zero) { ran.add(100, ordering: .relaxed) }
        for _ in 0..<10 {
            loop.post {
                ran.add(1, ordering: .relaxed)
            }
        }
        loop.end()
        #expect(ran.load(ordering: .relaxed) == 10)
        #expect(loop.counters.timersCancelled == 1)
        #expect(loop.counters.liveTimers == 0)
        #expect(!loop.isOnLoop)
    }

    @Test("Whatever the loop accepted while it was being stopped has run when it has stopped")
    func acceptedWorkRuns() {
        for _ in 0..<5 {
            let driver = LoopThread()
            let loop = driver.loop
            let ran = Atomic<Int>(0)
            let accepted = Atomic<Int>(0)
            let threads = DispatchGroup()
            let posting = DispatchGroup()
            for _ in 0..<4 {
                threads.enter()
                posting.enter()
                Thread.detachNewThread {
                    posting.leave()
                    while loop.post({ ran.add(1, ordering: .relaxed) }) {
                        accepted.add(1, ordering: .relaxed)
                    }
                    threads.leave()
                }
            }
            posting.wait()
            driver.stop()
            threads.wait()
            #expect(ran.load(ordering: .relaxed) == accepted.load(ordering: .relaxed))
        }
    }

    /// Acts when it is let go of, which for what a timer holds is when the loop takes no more work.
    private final class Late {
        let body: () -> Void
        init(_ body: @escaping () -> Void) { self.body = body }
        deinit { self.body() }
    }

    @Test("Work that comes while the loop lets go of its timers is refused or run, but never lost")
    func lateWork() {
        let loop = PacketLoop(label: "late")
        let accepted = Atomic<Int>(0)
        let ran = Atomic<Int>(0)
        let attempts = Atomic<Int>(0)
        loop.begin()
        do {
            let late = Late {
                let posting = DispatchGroup()
                posting.enter()
                Thread.detachNewThread {
                    attempts.add(1, ordering: .relaxed)
                    if loop.post({ ran.add(1, ordering: .relaxed) }) {
                        accepted.add(1, ordering: .relaxed)
                    }
                    posting.leave()
                }
                posting.wait()
            }
            loop.schedule(after: .seconds(1)) { withExtendedLifetime(late) {} }
        }
        loop.end()
        #expect(attempts.load(ordering: .relaxed) == 1)
        #expect(ran.load(ordering: .relaxed) == accepted.load(ordering: .relaxed))
    }

    /// Tells where it is let go of.
    private final class Witness {
        let loop: PacketLoop
        let released: @Sendable (Bool) -> Void
        init(loop: PacketLoop, released: @escaping @Sendable (Bool) -> Void) {
            self.loop = loop
            self.released = released
        }
        deinit { self.released(self.loop.isOnLoop) }
    }

    @Test("A value bound to the loop is readable there and comes back there to be released")
    func loopBound() async throws {
        let driver = LoopThread()
        let loop = driver.loop
        let releasedOnLoop = Locked<Bool?>(nil)
        do {
            let bound = try await loop.run {
                LoopBound(Witness(loop: loop) { on in releasedOnLoop.withLock { $0 = on } }, on: loop)
            }
            let isSame = try await loop.run { bound.value.loop === loop }
            #expect(isSame)
        }
        try await loop.run {}
        try await loop.run {}
        #expect(releasedOnLoop.withLock { $0 } == true)
        driver.stop()
    }
    @Test("A value bound to a loop that ends is not released beside what the loop still does")
    func releaseDuringEnd() {
        let loop = PacketLoop(label: "ending")
        loop.begin()
        let releasedOnLoop = Locked<Bool?>(nil)
        let bound = Locked<LoopBound<Witness>?>(
            LoopBound(Witness(loop: loop) { on in releasedOnLoop.withLock { $0 = on } }, on: loop)
        )
        let wasReleasedAtOnce = Locked(false)
        do {
            let late = Late {
                let dropping = DispatchGroup()
                dropping.enter()
                Thread.detachNewThread {
                    // Let go of outside of the lock, and before anybody is told: a variable would live until after that.
                    _ = bound.withLock { $0.take() }
                    dropping.leave()
                }
                dropping.wait()
                wasReleasedAtOnce.withLock { $0 = releasedOnLoop.withLock { $0 } != nil }
            }
            loop.schedule(after: .seconds(1)) { withExtendedLifetime(late) {} }
        }
        loop.end()
        #expect(!wasReleasedAtOnce.withLock { $0 })
        #expect(releasedOnLoop.withLock { $0 } == true)
    }
}
