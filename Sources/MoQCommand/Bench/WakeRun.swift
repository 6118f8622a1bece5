// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import PicoQuic

/// `moq bench wake`, running.
struct WakeRun {
    /// How much a busy loop does at a time.
    private static let work = Duration.microseconds(50)

    /// How many calls to make of each kind.
    var count: Int
    /// Which loop is called.
    var packetLoop: PacketLoopKind
    /// How many microseconds it looks for packets before it sleeps.
    var busyPoll: Int
    /// Whether to print one JSON object.
    var isJSON: Bool

    /// Measures and prints. A signal ends the process at once.
    func run() async throws {
        let idle: LoopWakeBenchmark.Report
        let busy: LoopWakeBenchmark.Report
        do {
            idle = try await self.measure(work: nil)
            busy = try await self.measure(work: Self.work)
        } catch {
            throw CommandFailure("\(error)")
        }
        guard !self.isJSON else {
            var json = JSONObject()
            json.add("command", .text("wake"))
            json.add("loop", .text(self.packetLoop.rawValue))
            json.add("busy_poll_us", UInt64(clamping: self.busyPoll))
            json.add("calls", UInt64(self.count))
            json.add("idle_us", .object(Self.json(idle)))
            json.add("busy_us", .object(Self.json(busy)))
            StandardStreams.say(json.rendered)
            return
        }
        StandardStreams.say("calls                 \(self.count)")
        for (name, report) in [("idle", idle), ("busy", busy)] {
            StandardStreams.say(
                "call onto \(name) loop   p50/p99 us \(Self.pair(report.arrivalMedian, report.arrival99))"
            )
            StandardStreams.say(
                "call and answer       p50/p99 us \(Self.pair(report.roundTripMedian, report.roundTrip99))"
            )
        }
    }

    private func measure(work: Duration?) async throws -> LoopWakeBenchmark.Report {
        try await LoopWakeBenchmark.run(
            rounds: self.count,
            work: work,
            packetLoop: self.packetLoop,
            busyPoll: .microseconds(self.busyPoll)
        )
    }

    private static func json(_ report: LoopWakeBenchmark.Report) -> JSONObject {
        var json = JSONObject()
        json.add("arrival_p50", .decimal(report.arrivalMedian))
        json.add("arrival_p99", .decimal(report.arrival99))
        json.add("answer_p50", .decimal(report.roundTripMedian))
        json.add("answer_p99", .decimal(report.roundTrip99))
        return json
    }

    private static func pair(_ median: Double, _ high: Double) -> String {
        "\(Quantity.decimal(median, digits: 1))/\(Quantity.decimal(high, digits: 1))"
    }
}
