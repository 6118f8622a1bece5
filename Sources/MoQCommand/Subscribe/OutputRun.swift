// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import PacketLoop

/// A command that asks for a track and writes what arrives.
protocol OutputCommand: Sendable {
    /// Whom to ask.
    var url: EndpointURL { get }
    /// What for.
    var track: TrackOptions { get }
    /// A file, or `-` for standard output.
    var output: String { get }
    /// Whether a file may lack something.
    var allowGaps: Bool { get }
    /// What is printed about it.
    var statistics: StatisticsOptions { get }
    /// How to connect.
    var connection: ConnectionOptions { get }
    /// Whom to believe.
    var trust: ClientTrustOptions { get }
}

/// An `OutputCommand`, running.
struct OutputRun<Stage: OutputStage> {
    private let command: any OutputCommand
    private let outcome = Outcome<Stage.Report>()
    private let cell = LoopCell<Stage>()

    /// Takes the options.
    init(_ command: any OutputCommand) {
        self.command = command
    }

    /// Asks, and writes until the stage has come to an end, something fails, or a signal comes. The stage is made on the loop.
    func run(
        makeStage: @escaping @Sendable (PacketLoop, OutputWriter, Outcome<Stage.Report>) -> Stage
    ) async throws {
        let (cell, outcome) = (self.cell, self.outcome)
        let writer = try OutputWriter(
            path: self.command.output,
            didDrain: {
                if let stage = cell.bound {
                    stage.loop.post { stage.value.writerDrained() }
                }
            },
            didFail: { outcome.fail($0) }
        )
        do {
            try await self.receive(to: writer, makeStage)
        } catch {
            await writer.abandon()
            throw error
        }
    }

    private func receive(
        to writer: OutputWriter,
        _ makeStage: @escaping @Sendable (PacketLoop, OutputWriter, Outcome<Stage.Report>) -> Stage
    ) async throws {
        let (cell, outcome) = (self.cell, self.outcome)
        let settings = ClientSettings(connection: self.command.connection, trust: self.command.trust)
        let client = try await ClientEndpoint.connect(to: self.command.url, settings: settings) { loop in
            let stage = makeStage(loop, writer, outcome)
            cell.set(stage, on: loop)
            return stage.attach()
        }
        // Until here a signal ends the process at once.
        SignalWatch.process.onStop { outcome.fail(.interrupted(by: $0)) }
        let printer = StatisticsPrinter(self.command.statistics) {
            var report = StatisticsReport()
            if let stage = cell.bound, let received = try? await stage.loop.run({ stage.value.report }) {
                received.add(to: &report)
            } else if case .success(let received) = outcome.result {
                received.add(to: &report)
            }
            report.add(await client.statistics)
            return report
        }
        printer.start()
        let result = await outcome.settled()
        await cell.finish { stage, done in
            stage.close(completion: done)
        }
        await client.close()
        printer.stop()
        if case .failure = result {
            await printer.finish()
        }
        try self.judge(try result.get())
        try await writer.finish()
        await printer.finish()
    }

    /// Decides whether what arrived is good enough.
    private func judge(_ report: Stage.Report) throws {
        let isFile = self.command.output != "-"
        for note in report.notes(isFile: isFile) {
            StandardStreams.complain("note: \(note)")
        }
        guard let loss = report.lossDescription else { return }
        guard self.command.allowGaps || !isFile else {
            throw CommandFailure("track '\(self.command.track.displayName)' is not complete: \(loss)")
        }
        StandardStreams.complain("note: \(loss)")
    }
}
