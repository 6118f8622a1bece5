// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import Testing

@Suite("What a timer says of itself")
struct TimerStateTests {
    @Test("A timer knows whether it is going to fire, and how long that takes")
    func queries() {
        let driver = ManualLoopDriver(loop: ManualLoopDriver.makeLoop())
        let loop = driver.loop
        var wasScheduledInside: Bool?
        var timer: LoopTimer?
        timer = loop.schedule(after: .milliseconds(30)) { wasScheduledInside = timer?.isScheduled }
        #expect(timer?.isScheduled == true)
        #expect(timer.map { loop.now.duration(to: $0.deadline) } == .milliseconds(30))
        driver.advance(by: .milliseconds(12))
        #expect(timer?.isScheduled == true)
        #expect(timer.map { loop.now.duration(to: $0.deadline) } == .milliseconds(18))
        driver.advance(by: .milliseconds(18))
        #expect(wasScheduledInside == false)
        #expect(timer?.isScheduled == false)
        let cancelled = loop.schedule(after: .milliseconds(1)) {}
        cancelled.cancel()
        #expect(!cancelled.isScheduled)
    }
}
