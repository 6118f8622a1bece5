// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Testing

@testable import PacketLoop

@Suite("A million timers", .timeLimit(.minutes(2)))
struct TimerQueueTests {
    /// What every timer's body holds, so that a body that is kept can be seen.
    private final class Token {}

    @Test("A million timers, scheduled and cancelled in any order, leave an empty queue that has not grown")
    func churn() {
        let queue = TimerQueue()
        var generator = SplitMix(state: 11)
        var token = Token()
        var alive: [LoopTimer] = []
        let most = 1_000
        func schedule() {
            let token = token
            let deadline = LoopInstant(microseconds: generator.next() >> 20)
            alive.append(queue.schedule(at: deadline) { withExtendedLifetime(token) {} })
        }
        func cancel() {
            // From anywhere: the first, the last, the middle.
            let index = Int(generator.next() % UInt64(alive.count))
            alive.swapAt(index, alive.count - 1)
            alive.removeLast().cancel()
        }
        for _ in 0..<most {
            schedule()
        }
        let capacity = queue.capacity
        var scheduled = most
        while scheduled < 1_000_000 {
            if alive.isEmpty || (alive.count < most && generator.next() & 1 == 0) {
                schedule()
                scheduled += 1
            } else {
                cancel()
            }
        }
        #expect(queue.count == alive.count)
        while !alive.isEmpty {
            cancel()
        }
        #expect(queue.count == 0)
        #expect(queue.nextDeadline == nil)
        #expect(queue.cancelled == 1_000_000)
        #expect(queue.capacity == capacity)
        queue.fireDue(at: .distantFuture)
        #expect(queue.fired == 0)
        #expect(isKnownUniquelyReferenced(&token))
    }

    @Test("A hundred thousand timers at once, cancelled in random order, leave room that the next ones use again")
    func manyAlive() {
        let queue = TimerQueue()
        var generator = SplitMix(state: 12)
        var token = Token()
        var capacity: Int?
        for round in 1...2 {
            let held = token
            var timers = (0..<100_000).map { _ in
                queue.schedule(at: LoopInstant(microseconds: generator.next() >> 20)) {
                    withExtendedLifetime(held) {}
                }
            }
            #expect(queue.count == timers.count)
            timers.shuffle(using: &generator)
            for timer in timers {
                timer.cancel()
            }
            #expect(queue.count == 0)
            #expect(queue.cancelled == UInt64(round * timers.count))
            #expect(queue.capacity == capacity ?? queue.capacity)
            capacity = queue.capacity
        }
        #expect(isKnownUniquelyReferenced(&token))
    }

    @Test("However timers come and go, the one that is due first stands first")
    func order() {
        let queue = TimerQueue()
        var generator = SplitMix(state: 13)
        var alive: [LoopTimer] = []
        for _ in 0..<20_000 {
            if alive.count < 50, generator.next() & 1 == 0 || alive.isEmpty {
                // Few different deadlines, so that many are equal.
                alive.append(queue.schedule(at: LoopInstant(microseconds: generator.next() % 100)) {})
            } else {
                alive.remove(at: Int(generator.next() % UInt64(alive.count))).cancel()
            }
            #expect(queue.nextDeadline == alive.map(\.deadline).min())
            #expect(queue.count == alive.count)
        }
        var last: LoopTimer?
        while let next = queue.nextDeadline {
            let before = alive.filter { $0.isScheduled }
            queue.fireDue(at: next)
            let gone = before.filter { !$0.isScheduled }
            #expect(gone.allSatisfy { $0.deadline == next })
            #expect(last.map { $0.deadline < next } ?? true)
            last = gone.first
        }
        #expect(alive.allSatisfy { !$0.isScheduled })
    }
}
