// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQRelay
internal import PacketLoop

/// `moq relay`, running.
struct RelayRun {
    private let command: RelayCommand

    /// Takes the options.
    init(_ command: RelayCommand) {
        self.command = command
    }

    /// Relays until a signal comes, then lets the peers leave.
    func run() async throws {
        let stopped = Outcome<Int32>()
        SignalWatch.process.onStop { stopped.succeed($0) }
        var settings = try ServerSettings(
            connection: self.command.connection,
            identity: self.command.identity,
            address: self.command.listen
        )
        settings.maximumConnections = self.command.maxConnections
        let cell = LoopCell<RelayStage>()
        let configuration = MoQRelayConfiguration(maximumSessions: Int(self.command.maxConnections))
        let server = try await ServerEndpoint.start(settings) { loop in
            cell.set(RelayStage(loop: loop, configuration: configuration), on: loop)
        } accept: { transport, profile, _ in
            cell.bound?.value.accept(transport, profile: profile)
        }
        let printStatus: @Sendable () async -> Void = {
            let connections = await server.connectionCount
            if let stage = cell.bound,
                let line = try? await stage.loop.run({ stage.value.statusLine(connections: connections) })
            {
                StandardStreams.note(line + "\n")
            }
        }
        SignalWatch.process.onStatus {
            Task { await printStatus() }
        }
        let interval = self.command.statsInterval?.duration
        let statistics = interval.map { interval in
            Task {
                while !Task.isCancelled {
                    try await Task.sleep(for: interval)
                    await printStatus()
                }
            }
        }
        server.announce()
        _ = try await stopped.value()
        statistics?.cancel()
        let drainTimeout = self.command.drainTimeout.duration
        await cell.finish { stage, done in
            stage.relay.drain(timeout: drainTimeout, completion: done)
        }
        await server.stop()
    }
}
