// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import PacketLoop

/// Prints a command's figures on standard error: when SIGUSR1 asks for them, every so often, and at the end.
final class StatisticsPrinter: Sendable {
    private let printsAll: Bool
    private let isJSON: Bool
    private let interval: Duration?
    private let take: @Sendable () async -> StatisticsReport
    private let clock = Locked<Task<Void, any Error>?>(nil)

    /// Prepares to print what `take` finds, as the options say.
    init(_ options: StatisticsOptions, take: @escaping @Sendable () async -> StatisticsReport) {
        self.printsAll = options.stats
        self.isJSON = options.statsFormat == .json
        self.interval = options.statsInterval?.duration
        self.take = take
    }

    /// From now on answers SIGUSR1 and, if that is wanted, prints every so often.
    func start() {
        SignalWatch.process.onStatus {
            Task { await self.printNow() }
        }
        guard let interval = self.interval else { return }
        let task = Task {
            while !Task.isCancelled {
                try await Task.sleep(for: interval)
                await self.printNow()
            }
        }
        self.clock.withLock { $0 = task }
    }

    /// Prints every so often no more.
    func stop() {
        self.clock.withLock { $0 }?.cancel()
    }

    /// Prints the last figures, if figures are wanted at the end. Called when everything has been closed.
    func finish() async {
        self.stop()
        guard self.printsAll else { return }
        await self.printNow()
    }

    private func printNow() async {
        let report = await self.take()
        let isShort = !self.printsAll && report.isSummaryEnough
        StandardStreams.note(self.isJSON ? report.json : isShort ? report.summary : report.text)
    }
}
