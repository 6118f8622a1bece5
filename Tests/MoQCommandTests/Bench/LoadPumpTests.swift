// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import Testing
import WebTransportInMemory

@testable import MoQCommand

@Suite("Pump of a load")
struct LoadPumpTests {
    private static func pump(rate: Double?) -> LoadPump {
        var plan = LoadPlan(
            name: "latency",
            size: 100,
            groupSize: 10,
            subgroups: 1,
            usesDatagrams: false,
            warmUp: .zero,
            duration: .seconds(3_600),
            lateAfter: .seconds(1)
        )
        plan.rate = rate
        return LoadPump(loop: ManualLoopDriver.makeLoop(label: "pump"), plan: plan)
    }

    @Test("What was due when a load was ended early, and nobody took, is told")
    func endedEarly() {
        let pump = Self.pump(rate: 1_000)
        let before = BenchClock.now
        let schedule = LoadSchedule(
            start: before - 2_000_000_000,
            warmUp: .milliseconds(500),
            duration: .seconds(3_600),
            rate: 1_000
        )
        pump.start(schedule)
        #expect(pump.due == nil)
        pump.stop()
        let range = schedule.measuredCount(at: before)...schedule.measuredCount(at: BenchClock.now)
        #expect(range.lowerBound == 1_501)
        #expect(range.contains(pump.due ?? 0))
        #expect(pump.sent == (0, 0))
        let due = pump.due
        pump.stop()
        #expect(pump.due == due)
    }

    @Test("Nothing is due at a time of its own when as many are sent as are taken")
    func unpaced() {
        let pump = Self.pump(rate: nil)
        pump.start(
            LoadSchedule(start: BenchClock.now, warmUp: .zero, duration: .seconds(3_600), rate: nil)
        )
        pump.stop()
        #expect(pump.due == nil)
        #expect(pump.isOver)
    }
}
