// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import Testing

@Suite("The counters of a loop")
struct CounterTests {
    @Test("Every one of them is in the sum over several loops")
    func sum() {
        var one = PacketLoopCounters()
        one.posts = 1
        one.wakes = 2
        one.inboxDrains = 3
        one.turns = 4
        one.jobsRun = 5
        one.queuedJobs = 6
        one.dropped = 7
        one.timersFired = 8
        one.timersCancelled = 9
        one.liveTimers = 10
        var sum = PacketLoopCounters()
        sum.add(one)
        #expect(sum == one)
        sum.add(one)
        #expect(sum.turns == 8 && sum.inboxDrains == 6)
    }
}
