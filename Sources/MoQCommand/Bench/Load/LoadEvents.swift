// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What those who make a load learn about it from its loops, whichever comes first of each.
struct LoadEvents: Sendable {
    /// The relay took the namespace.
    let announced = Outcome<Void>()
    /// All subscribers are subscribed; fails when one cannot be.
    let subscribed = Outcome<Void>()
    /// The load cannot go on.
    let broken = Outcome<Void>()

    /// How long the relay may take to answer the publisher, and the subscribers.
    private static let patience = Duration.seconds(10)

    /// Waits for an event, but not for ever. Called once for each.
    /// - Throws: ``CommandFailure``, when it was a failure, or when nothing came: then it begins with `complaint`.
    func wait(for event: Outcome<Void>, _ complaint: String) async throws {
        let watchdog = Task {
            try await Task.sleep(for: Self.patience)
            event.fail(CommandFailure("\(complaint) within \(Self.patience.components.seconds) s"))
        }
        defer { watchdog.cancel() }
        try await event.value()
    }

    /// Ends whatever is waited for.
    func fail(_ failure: CommandFailure) {
        self.announced.fail(failure)
        self.subscribed.fail(failure)
        self.broken.fail(failure)
    }
}
