// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import PicoQuic

/// `moq bench timers`, running.
struct TimersRun {
    /// How many timers to schedule and cancel beside each number of others.
    var count: Int

    /// Measures and prints. A signal ends the process at once.
    func run() async throws {
        let report: LoopTimerBenchmark.Report
        do {
            report = try await LoopTimerBenchmark.run(pairs: self.count)
        } catch {
            throw CommandFailure("\(error)")
        }
        StandardStreams.say("pairs                     \(report.pairs)")
        for cost in report.costs {
            let live = "\(cost.live)"
            let gap = String(repeating: " ", count: max(1, 8 - live.count))
            StandardStreams.say(
                "schedule, cancel beside \(live)\(gap)ns \(Quantity.decimal(cost.nanoseconds, digits: 1))"
            )
        }
        let figures = [report.latenessMedian, report.lateness99].map { Quantity.decimal($0, digits: 1) }
        StandardStreams.say("timer of 300 us, late by  p50/p99 us \(figures[0])/\(figures[1])")
    }
}
