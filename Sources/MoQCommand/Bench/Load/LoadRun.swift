// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQPicoQuic
internal import PacketLoop

/// Makes a load and says what became of it.
struct LoadRun {
    /// How long after everybody is ready the first object is due.
    private static let lead: UInt64 = 20_000_000
    /// How long to sleep before looking again whether it is time, or the load is over.
    private static let step: UInt64 = 20_000_000
    /// A run that takes longer than that says so often where it is.
    private static let progressInterval: UInt64 = 5_000_000_000
    /// How long what is under way may take to arrive, as long as something arrives, and altogether.
    private static let quietTime: UInt64 = 1_000_000_000
    private static let longestDrain: UInt64 = 10_000_000_000

    private let plan: LoadPlan
    private let options: LoadOptions

    /// Prepares a load.
    init(_ plan: LoadPlan, _ options: LoadOptions) {
        self.plan = plan
        self.options = options
    }

    /// Makes the load and prints the figures; those so far, when a signal or a failure ends it early.
    func run() async throws {
        let interrupted = Outcome<Int32>()
        let outcome = try await self.measure(interrupted)
        StandardStreams.say(self.options.json ? outcome.report.json.rendered : outcome.report.text)
        if let failure = outcome.failure {
            throw failure
        }
        if case .success(let signal) = interrupted.result {
            throw CommandFailure.interrupted(by: signal)
        }
    }

    /// Makes the load. `interrupted` ends it early, and a signal decides that.
    func measure(_ interrupted: Outcome<Int32>) async throws -> (report: LoadReport, failure: CommandFailure?) {
        let stage: any LoadScene
        if self.plan.isBare {
            stage = try await BareStage.start(self.plan, self.options)
        } else {
            stage = try await LoadStage.start(self.plan, self.options)
        }
        // Until here a signal ends the process at once.
        SignalWatch.process.onStop { interrupted.succeed($0) }
        do {
            let report = try await self.measure(stage, interrupted)
            await stage.close()
            if case .failure(let failure) = stage.events.broken.result {
                return (report, failure)
            }
            return (report, nil)
        } catch {
            await stage.close()
            throw error
        }
    }

    private func measure(_ stage: any LoadScene, _ interrupted: Outcome<Int32>) async throws -> LoadReport {
        let isOver = { interrupted.result != nil || stage.events.broken.result != nil }
        let schedule = LoadSchedule(
            start: BenchClock.now + Self.lead,
            warmUp: self.plan.warmUp,
            duration: self.plan.duration,
            rate: self.plan.totalRate
        )
        let length = Quantity.clock(seconds: Quantity.seconds(self.plan.warmUp + self.plan.duration))
        StandardStreams.note("bench: subscribers \(self.plan.subscribers), objects for \(length)\n")
        try await stage.start(schedule)
        try await self.wait(until: schedule.measuredFrom, isOver)
        let first = try await stage.sample()
        try await self.wait(until: schedule.end, isOver) {
            try await self.showProgress(stage, since: first)
        }
        let last = try await stage.sample()
        if isOver() {
            try await stage.stopSending()
        }
        let final = try await self.drain(stage)
        let histograms = try await stage.histograms()
        return LoadReport(
            plan: self.plan,
            target: self.options.url?.url.description,
            draft: try await stage.draft(),
            packetLoop: self.options.connection.packetLoop,
            subscriberLoop: self.options.loopOfSubscribers,
            congestionControl: self.options.connection.congestionControl,
            offersAcknowledgementFrequency: !self.options.connection.noAckFrequency,
            busyPoll: self.options.connection.busyPoll,
            isInterrupted: interrupted.result != nil,
            first: first,
            last: last,
            final: final,
            latency: histograms.latency,
            lag: histograms.lag
        )
    }

    /// Waits for a moment, or until the load is over.
    private func wait(
        until moment: UInt64,
        _ isOver: () -> Bool,
        progress: () async throws -> Void = {}
    ) async throws {
        var nextProgress = BenchClock.now + Self.progressInterval
        while !isOver() {
            let now = BenchClock.now
            guard now < moment else { return }
            if now >= nextProgress {
                nextProgress = now + Self.progressInterval
                try await progress()
            }
            try await Task.sleep(for: .nanoseconds(Int64(min(moment - now, Self.step))))
        }
    }

    /// Waits until everything has arrived, or nothing arrives any more.
    private func drain(_ stage: any LoadScene) async throws -> LoadStage.Sample {
        let began = BenchClock.now
        var sample = try await stage.sample()
        var quietSince = began
        while stage.events.broken.result == nil {
            let expected = self.plan.deliveries(of: sample.publisher.measured)
            if sample.publisher.isOver, sample.crowd.delivered >= expected { break }
            try await Task.sleep(for: .nanoseconds(Int64(Self.step)))
            let next = try await stage.sample()
            let now = BenchClock.now
            if next.crowd.objects != sample.crowd.objects || next.publisher.total != sample.publisher.total {
                quietSince = now
            }
            sample = next
            guard now - quietSince < Self.quietTime, now - began < Self.longestDrain else { break }
        }
        try await stage.stopSending()
        return try await stage.sample()
    }

    private func showProgress(_ stage: any LoadScene, since first: LoadStage.Sample) async throws {
        let now = try await stage.sample()
        let seconds = Double(now.crowd.time - first.crowd.time) / 1e9
        let bytes = now.crowd.bytes - first.crowd.bytes
        StandardStreams.note(
            "bench: \(Quantity.clock(seconds: seconds)) of \(Quantity.clock(seconds: Quantity.seconds(self.plan.duration)))"
                + "  objects \(now.crowd.objects - first.crowd.objects)"
                + "  \(Quantity.megabitsPerSecond(bytes: bytes, seconds: seconds)) Mbit/s\n"
        )
    }
}
