// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// `moq sub`, running.
struct SubscribeRun {
    private let command: SubscribeCommand

    /// Takes the options.
    init(_ command: SubscribeCommand) {
        self.command = command
    }

    /// Subscribes and writes until the track ends, something fails, or a signal comes.
    func run() async throws {
        let wish = SubscribingStage.Wish(
            name: self.command.track.fullName,
            displayName: self.command.track.displayName,
            wait: self.command.wait.duration,
            duration: self.command.duration?.duration,
            reorderLimit: self.command.reorderLimit << 20,
            measuresLatency: self.command.statistics.stats
        )
        try await OutputRun<SubscribingStage>(self.command).run { loop, writer, outcome in
            SubscribingStage(loop: loop, wish: wish, writer: writer, outcome: outcome)
        }
    }
}
