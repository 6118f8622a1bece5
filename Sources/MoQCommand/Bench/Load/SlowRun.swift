// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// `moq bench slow`, running: the same load twice, once while everybody reads and once while some do not.
struct SlowRun {
    private let plan: LoadPlan
    private let options: LoadOptions
    private let slowSubscribers: Int

    /// Prepares to have so many of the plan's subscribers stop reading in the second load.
    init(_ plan: LoadPlan, slowSubscribers: Int, _ options: LoadOptions) {
        self.plan = plan
        self.slowSubscribers = slowSubscribers
        self.options = options
    }

    /// Makes both loads and prints the figures of both, and what the slow ones did to the others.
    func run() async throws {
        let interrupted = Outcome<Int32>()
        let without = try await LoadRun(self.plan, self.options).measure(interrupted)
        var figures = SlowFigures(without: without.report)
        var failure = without.failure
        if failure == nil, interrupted.result == nil {
            do {
                let with = try await self.measureWithSlow(interrupted)
                figures.with = with.report
                failure = with.failure
            } catch {
                // What was measured so far is worth telling; a signal is told of below.
                if interrupted.result == nil {
                    failure = error as? CommandFailure ?? CommandFailure("\(error)")
                }
            }
        }
        StandardStreams.say(self.options.json ? figures.json.rendered : figures.text)
        if let failure {
            throw failure
        }
        if case .success(let signal) = interrupted.result {
            throw CommandFailure.interrupted(by: signal)
        }
    }

    /// Makes the second load. A signal while it is being prepared makes it throw.
    private func measureWithSlow(
        _ interrupted: Outcome<Int32>
    ) async throws -> (report: LoadReport, failure: CommandFailure?) {
        var plan = self.plan
        plan.slowSubscribers = self.slowSubscribers
        let load = LoadRun(plan, self.options)
        let measurement = Task { try await load.measure(interrupted) }
        // Until the load says itself what ends it.
        SignalWatch.process.onStop { signal in
            interrupted.succeed(signal)
            measurement.cancel()
        }
        return try await measurement.value
    }
}

/// What two loads tell about subscribers that do not read.
struct SlowFigures {
    /// Everybody reads.
    var without: LoadReport
    /// Some do not; nil when it did not come to that.
    var with: LoadReport?

    /// How much longer one in a hundred objects took for the others; nil when it cannot be said.
    var ratio: Double? {
        let before = self.without.latency.percentile(0.99)
        guard let with = self.with, before > 0, with.latency.count > 0 else { return nil }
        return Double(with.latency.percentile(0.99)) / Double(before)
    }

    /// One object, with one for each load.
    var json: JSONObject {
        var json = JSONObject()
        json.add("command", .text(self.without.plan.name))
        json.add("slow_subscribers", self.with.map { UInt64($0.plan.slowSubscribers) } ?? 0)
        json.add("slow_subscribers_cut_off", self.with.map { UInt64($0.final.crowd.slowEnded) } ?? 0)
        json.add("p99_ratio", self.ratio.map { .decimal($0) } ?? .null)
        json.add("without", .object(self.without.json))
        json.add("with", self.with.map { .object($0.json) } ?? .null)
        return json
    }

    /// The lines of both loads, and one more.
    var text: String {
        var lines = [self.without.text]
        if let with = self.with {
            lines.append(with.text)
            let ratio = self.ratio.map { Quantity.decimal($0, digits: 2) } ?? "unknown"
            lines.append(
                "slow       \(with.plan.slowSubscribers) of \(with.plan.subscribers) subscribers do not read, "
                    + "\(with.final.crowd.slowEnded) of them cut off; p99 of the others with / without: \(ratio)"
            )
        }
        return lines.joined(separator: "\n")
    }
}
