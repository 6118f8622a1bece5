// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import Testing

@Suite("Timers in virtual time", .timeLimit(.minutes(1)))
struct TimerTests {
    @Test("Timers fire at their deadline, in the order of deadlines, then of scheduling")
    func order() {
        let driver = ManualLoopDriver(loop: ManualLoopDriver.makeLoop())
        let loop = driver.loop
        var fired: [(String, UInt64)] = []
        let start = driver.now.microseconds
        func arm(_ name: String, _ delay: Duration) {
            loop.schedule(after: delay) { fired.append((name, loop.now.microseconds - start)) }
        }
        arm("c", .milliseconds(30))
        arm("a", .microseconds(300))
        arm("b1", .milliseconds(5))
        arm("b2", .milliseconds(5))
        driver.advance(by: .milliseconds(29))
        #expect(fired.map(\.0) == ["a", "b1", "b2"])
        driver.advance(by: .milliseconds(1))
        #expect(fired.map(\.0) == ["a", "b1", "b2", "c"])
        #expect(fired.map(\.1) == [300, 5_000, 5_000, 30_000])
        #expect(loop.counters.liveTimers == 0)
        #expect(loop.counters.timersFired == 4)
    }

    @Test("A timer cancelled by an earlier one of the same batch does not fire")
    func cancelInBatch() {
        let driver = ManualLoopDriver(loop: ManualLoopDriver.makeLoop())
        var fired: [Int] = []
        var second: LoopTimer?
        driver.loop.schedule(after: .milliseconds(1)) {
            fired.append(1)
            #expect(second?.isScheduled == true)
            second?.cancel()
            #expect(second?.isScheduled == false)
        }
        second = driver.loop.schedule(after: .milliseconds(1)) { fired.append(2) }
        driver.advance(by: .seconds(1))
        #expect(fired == [1])
        #expect(driver.loop.counters.timersCancelled == 1)
        #expect(driver.loop.counters.liveTimers == 0)
    }

    @Test("A cancelled timer asks for no wake-up and releases what it held")
    func cancelReleases() {
        final class Token {}
        let driver = ManualLoopDriver(loop: ManualLoopDriver.makeLoop())
        weak var held: Token?
        let timer: LoopTimer
        do {
            let token = Token()
            held = token
            timer = driver.loop.schedule(after: .seconds(1)) { withExtendedLifetime(token) {} }
        }
        #expect(held != nil)
        #expect(driver.loop.nextDeadline != nil)
        timer.cancel()
        timer.cancel()
        #expect(held == nil)
        #expect(driver.loop.nextDeadline == nil)
        #expect(driver.loop.counters.timersCancelled == 1)
    }

    @Test("A timer that re-arms itself at once neither hangs the loop nor is lost")
    func rearm() {
        let driver = ManualLoopDriver(loop: ManualLoopDriver.makeLoop())
        let loop = driver.loop
        var count = 0
        func again() {
            count += 1
            if count < 1_000 {
                loop.schedule(after: .zero) { again() }
            }
        }
        loop.schedule(after: .milliseconds(1)) { again() }
        loop.turn(now: driver.now.advanced(by: .milliseconds(1)))
        #expect(count == 1)
        driver.advance(by: .milliseconds(1))
        #expect(count == 1_000)
    }

    @Test("Ten thousand timers, half of them cancelled in random order, leave the rest in order")
    func many() {
        let driver = ManualLoopDriver(loop: ManualLoopDriver.makeLoop())
        var generator = SplitMix(state: 7)
        var fired: [UInt64] = []
        var timers: [LoopTimer] = []
        for _ in 0..<10_000 {
            let delay = UInt64.random(in: 1...1_000_000, using: &generator)
            timers.append(
                driver.loop.schedule(after: .microseconds(Int64(delay))) { fired.append(driver.loop.now.microseconds) }
            )
        }
        timers.shuffle(using: &generator)
        for timer in timers.prefix(5_000) {
            timer.cancel()
        }
        let expected = timers.dropFirst(5_000).map(\.deadline.microseconds).sorted()
        driver.advance(by: .seconds(1))
        #expect(fired == expected)
    }

    @Test("Instants convert durations to the microsecond, rounding up, and never wrap around")
    func instants() {
        let start = LoopInstant(microseconds: 1_000)
        #expect(start.advanced(by: .microseconds(5)).microseconds == 1_005)
        #expect(start.advanced(by: .nanoseconds(1)).microseconds == 1_001)
        #expect(start.advanced(by: .seconds(-1)).microseconds == 0)
        #expect(start.advanced(by: .seconds(Int64.max)).microseconds == UInt64(Int64.max) + 1_000)
        #expect(LoopInstant.distantFuture.advanced(by: .seconds(1)) == .distantFuture)
        #expect(start.duration(to: LoopInstant(microseconds: 0)) == .milliseconds(-1))
        #expect(start.duration(to: start.advanced(by: .milliseconds(3))) == .milliseconds(3))
    }
}

/// A small seeded generator, so that a failure can be repeated.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
