// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire

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
        let wish = self.wish
        try await OutputRun<FetchingStage>(self.command).run { loop, writer, outcome in
            FetchingStage(loop: loop, wish: wish, writer: writer, outcome: outcome)
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
}
