// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire
internal import PacketLoop

/// `moq fetch`, running.
struct FetchRun {
    /// The last group that every draft can name.
    private static let lastGroup: UInt64 = 1 << 62 - 1

    private let command: FetchCommand

    /// Takes the options.
    init(_ command: FetchCommand) {
        self.command = command
    }

    /// Fetches and writes until everything is there, something fails, or a signal comes.
    func run() async throws {
        let outcome = Outcome<FetchReport>()
        let cell = LoopCell<FetchingStage>()
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

    private var wish: FetchingStage.Wish {
        FetchingStage.Wish(
            name: self.command.track.fullName,
            displayName: self.command.track.displayName,
            start: self.command.from?.start ?? Location(group: 0, object: 0),
            end: self.command.to?.end ?? .group(Self.lastGroup),
            joining: self.command.joining,
            follows: self.command.follow,
            duration: self.command.duration?.duration,
            parameters: FetchParameters(
                subscriberPriority: self.command.priority,
                groupOrder: self.command.order == .ascending ? nil : self.command.order
            ),
            reorderLimit: self.command.reorderLimit << 20
        )
    }

    private func receive(
        writer: OutputWriter,
        cell: LoopCell<FetchingStage>,
        outcome: Outcome<FetchReport>
    ) async throws {
        let wish = self.wish
        let settings = ClientSettings(connection: self.command.connection, trust: self.command.trust)
        let client = try await ClientEndpoint.connect(to: self.command.url, settings: settings) { loop in
            let stage = FetchingStage(loop: loop, wish: wish, writer: writer, outcome: outcome)
            cell.set(stage, on: loop)
            return ClientEndpoint.Attachment(handler: stage.makePeer()) { _ in }
        }
        // Until here a signal ends the process at once.
        SignalWatch.process.onStop { outcome.fail(.interrupted(by: $0)) }
        let printer = StatisticsPrinter(self.command.statistics) {
            var report = StatisticsReport()
            if let stage = cell.bound, let fetched = try? await stage.loop.run({ stage.value.report }) {
                report.add(fetched)
            } else if case .success(let fetched) = outcome.result {
                report.add(fetched)
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
    private func judge(_ report: FetchReport) throws {
        if let withheld = report.live?.withheldDescription {
            StandardStreams.complain("note: \(withheld)")
        }
        guard let loss = report.lossDescription else { return }
        guard self.command.allowGaps || self.command.output == "-" else {
            throw CommandFailure("track '\(self.command.track.displayName)' is not complete: \(loss)")
        }
        StandardStreams.complain("note: \(loss)")
    }
}
