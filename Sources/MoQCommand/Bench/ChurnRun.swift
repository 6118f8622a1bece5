// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire
internal import PacketLoop
internal import WebTransport

/// `moq bench churn`, running.
struct ChurnRun {
    private let command: BenchChurnCommand

    /// Takes the options.
    init(_ command: BenchChurnCommand) {
        self.command = command
    }

    /// Runs the cycles one after the other and prints how it went.
    func run() async throws {
        let interrupted = Outcome<Int32>()
        SignalWatch.process.onStop { interrupted.succeed($0) }
        let settings = ClientSettings(connection: self.command.connection, trust: self.command.trust)
        let began = ContinuousClock.now
        var done = 0
        var failures = 0
        var lastFailure = ""
        while done < self.command.cycles, interrupted.result == nil {
            do {
                try await self.cycle(settings)
            } catch {
                failures += 1
                lastFailure = "\(error)"
            }
            done += 1
            if done % max(1, self.command.cycles / 10) == 0 {
                StandardStreams.note("churn: \(done) of \(self.command.cycles) cycles, \(failures) failures\n")
            }
        }
        let seconds = Quantity.seconds(began.duration(to: .now))
        StandardStreams.say("cycles    \(done)")
        StandardStreams.say("failures  \(failures)")
        StandardStreams.say("cycles/s  \(Quantity.decimal(seconds > 0 ? Double(done) / seconds : 0, digits: 1))")
        if case .success(let signal) = interrupted.result {
            throw CommandFailure.interrupted(by: signal)
        }
        if failures > 0 {
            throw CommandFailure("\(failures) of \(done) cycles failed, the last one: \(lastFailure)")
        }
    }

    /// Connects, subscribes, waits for the answer, and disconnects. A track that does not exist is an answer too.
    private func cycle(_ settings: ClientSettings) async throws {
        let outcome = Outcome<Void>()
        let name = self.command.track.fullName
        let client = try await ClientEndpoint.connect(to: self.command.url, settings: settings) { _ in
            ClientEndpoint.Attachment(handler: ChurnPeer(name: name, outcome: outcome)) { _ in }
        }
        let result = await outcome.settled()
        await client.close()
        try result.get()
    }
}
