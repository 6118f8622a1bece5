// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import PicoQuic

/// `moq bench wake`, running.
struct WakeRun {
    /// How many calls to make.
    var count: Int

    /// Measures and prints. A signal ends the process at once.
    func run() async throws {
        let report: LoopWakeBenchmark.Report
        do {
            report = try await LoopWakeBenchmark.run(rounds: self.count)
        } catch {
            throw CommandFailure("\(error)")
        }
        StandardStreams.say("calls                 \(report.rounds)")
        StandardStreams.say("call onto idle loop   p50/p99 us \(Self.pair(report.arrivalMedian, report.arrival99))")
        StandardStreams.say("call and answer       p50/p99 us \(Self.pair(report.roundTripMedian, report.roundTrip99))")
    }

    private static func pair(_ median: Double, _ high: Double) -> String {
        "\(Quantity.decimal(median, digits: 1))/\(Quantity.decimal(high, digits: 1))"
    }
}
