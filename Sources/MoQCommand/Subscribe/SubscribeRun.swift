// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQWire
internal import PacketLoop

/// `moq sub`, running.
struct SubscribeRun {
    private let command: SubscribeCommand

    /// Takes the options.
    init(_ command: SubscribeCommand) {
        self.command = command
    }

    /// Subscribes and writes until the track ends, something fails, or a signal comes.
    func run() async throws {
        let outcome = Outcome<ReceptionReport>()
        let cell = LoopCell<SubscribingStage>()
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
            try await self.receive(writer: writer, cell: cell, outcome: outcome)
        } catch {
            await writer.abandon()
            throw error
        }
    }

    private func receive(
        writer: OutputWriter,
        cell: LoopCell<SubscribingStage>,
        outcome: Outcome<ReceptionReport>
    ) async throws {
        let wish = SubscribingStage.Wish(
            name: self.command.track.fullName,
            displayName: self.command.track.displayName,
            wait: self.command.wait.duration,
            duration: self.command.duration?.duration,
            reorderLimit: self.command.reorderLimit << 20,
            measuresLatency: self.command.statistics.stats
        )
        let settings = ClientSettings(connection: self.command.connection, trust: self.command.trust)
        let client = try await ClientEndpoint.connect(to: self.command.url, settings: settings) { loop in
            let stage = SubscribingStage(loop: loop, wish: wish, writer: writer, outcome: outcome)
            cell.set(stage, on: loop)
            return ClientEndpoint.Attachment(handler: stage.makePeer()) { session in
                stage.add(session)
            }
        }
        // Until here a signal ends the process at once.
        SignalWatch.process.onStop { outcome.fail(.interrupted(by: $0)) }
        let printer = StatisticsPrinter(self.command.statistics) {
            var report = StatisticsReport()
            if let stage = cell.bound, let reception = try? await stage.loop.run({ stage.value.reception }) {
                report.add(reception)
            } else if case .success(let reception) = outcome.result {
                report.add(reception)
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
        let report = try result.get()
        try self.judge(report)
        try await writer.finish()
        await printer.finish()
    }

    /// Decides whether what arrived is good enough.
    private func judge(_ report: ReceptionReport) throws {
        if let joined = report.joinedAfter, self.command.output != "-" {
            StandardStreams.complain(
                "note: the track had begun earlier, what came up to group \(joined.group) object \(joined.object) is"
                    + " not in the output"
            )
        }
        if let withheld = report.withheldDescription {
            StandardStreams.complain("note: \(withheld)")
        }
        guard let loss = report.lossDescription else { return }
        guard self.command.allowGaps || self.command.output == "-" else {
            throw CommandFailure("track '\(self.command.track.displayName)' is not complete: \(loss)")
        }
        StandardStreams.complain("note: \(loss)")
    }
}
