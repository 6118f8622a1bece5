// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Testing

@testable import MoQCommand

@Suite("Schedule of a load")
struct LoadScheduleTests {
    private static let start: UInt64 = 5_000_000_123

    @Test(
        "As many objects are due as the rate says, at any moment",
        arguments: [0.1, 1, 3, 30, 999.9, 48_000, 1_000_000]
    )
    func dueCount(rate: Double) {
        let schedule = LoadSchedule(start: Self.start, warmUp: .seconds(1), duration: .seconds(20), rate: rate)
        #expect(schedule.dueCount(at: 0) == 0)
        #expect(schedule.dueCount(at: Self.start - 1) == 0)
        #expect(schedule.dueCount(at: Self.start) == 1)
        for sequence in [1, 2, 7, 100, 65_537] as [UInt64] where schedule.due(sequence) < schedule.end {
            let due = schedule.due(sequence)
            #expect(schedule.dueCount(at: due) == sequence + 1)
            #expect(schedule.dueCount(at: due - 1) == sequence)
        }
        let total = schedule.dueCount(at: .max)
        #expect(total == schedule.dueCount(at: schedule.end))
        #expect(abs(Double(total) - 21 * rate) <= 1)
        #expect(schedule.due(total) >= schedule.end)
    }

    @Test("What is due before the end of the warm-up is not measured, nor what is due after the end")
    func measured() {
        let schedule = LoadSchedule(start: Self.start, warmUp: .seconds(1), duration: .seconds(2), rate: 10)
        #expect(schedule.measuredCount(at: .max) == 20)
        #expect(schedule.measuredCount(at: schedule.measuredFrom) == 1)
        #expect(schedule.measuredCount(at: schedule.measuredFrom - 1) == 0)
        #expect(schedule.measuredCount(at: schedule.measuredFrom + 1_050_000_000) == 11)
        let measured = (0..<40 as Range<UInt64>).filter { schedule.measures(schedule.due($0)) }
        #expect(measured == Array(10..<30))
        let eager = LoadSchedule(start: Self.start, warmUp: .zero, duration: .seconds(2), rate: 10)
        #expect(eager.measuredCount(at: .max) == 20)
        #expect(eager.measuredCount(at: Self.start) == 1)
        #expect(eager.measures(eager.due(0)))
    }

    @Test("Lateness of the sender does not move what is due later")
    func drift() {
        let schedule = LoadSchedule(start: Self.start, warmUp: .zero, duration: .seconds(100_000), rate: 3)
        #expect(schedule.due(3 * 86_400) == Self.start + 86_400_000_000_000)
    }

    @Test("Without a rate a load has a beginning and an end, and nothing is due at a time of its own")
    func unpaced() {
        let schedule = LoadSchedule(start: Self.start, warmUp: .milliseconds(5), duration: .milliseconds(10), rate: nil)
        #expect(schedule.measuredFrom == Self.start + 5_000_000)
        #expect(schedule.end == Self.start + 15_000_000)
        #expect(schedule.measuredCount(at: .max) == 0)
    }
}
