// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQPicoQuic

/// What a command has on the loop of its endpoint, and puts away there. (loop)
protocol EndpointStage: AnyObject, SendableMetatype {
    /// Ends everything in order, then calls `completion`.
    func close(completion: @escaping () -> Void)
}

extension LoopCell where Value: EndpointStage {
    /// Waits for the end of a command, with figures as the options say, then puts the stage and, with `close`, the endpoint
    /// away, however it ended.
    func settle(
        _ outcome: Outcome<Void>,
        figures: StatisticsOptions,
        close: () async -> Void,
        statistics: @escaping @Sendable () async -> MoQEndpointStatistics
    ) async throws {
        let printer = StatisticsPrinter(figures) {
            var report = StatisticsReport()
            report.add(await statistics())
            return report
        }
        printer.start()
        let result = await outcome.settled()
        await self.finish { stage, done in
            stage.close(completion: done)
        }
        await close()
        await printer.finish()
        try result.get()
    }
}
