// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQPicoQuic
internal import MoQWire
internal import PacketLoop

/// `moq pub` and `moq clock`, running: to a relay, or serving subscribers.
struct PublishRun {
    private let destination: DestinationOptions
    private let connection: ConnectionOptions
    private let name: FullTrackName
    private let displayName: String
    private let source: PublishingStage.Source
    private let statistics: StatisticsOptions

    /// Opens the input.
    init(_ command: PublishCommand) throws {
        let reader = try InputReader(path: command.input, fillsBlocks: !command.lines)
        self.destination = command.destination
        self.connection = command.connection
        self.name = command.track.fullName
        self.displayName = command.track.displayName
        self.source = .input(reader, command.plan)
        self.statistics = command.statistics
    }

    /// Needs no input.
    init(_ command: ClockCommand) {
        self.destination = command.destination
        self.connection = command.connection
        self.name = command.track.fullName
        self.displayName = command.track.displayName
        self.source = .clock(interval: command.interval.duration, duration: command.duration?.duration)
        self.statistics = command.statistics
    }

    /// Publishes until the track is delivered, something fails, or a signal comes.
    func run() async throws {
        let outcome = Outcome<Void>()
        if let url = self.destination.url {
            try await self.publish(to: url, outcome: outcome)
        } else if let listen = self.destination.listen {
            try await self.serve(at: listen, outcome: outcome)
        }
    }

    private func makeStage(on loop: PacketLoop, outcome: Outcome<Void>) -> PublishingStage {
        PublishingStage(
            loop: loop,
            name: self.name,
            displayName: self.displayName,
            source: self.source,
            outcome: outcome
        )
    }

    private func publish(to url: EndpointURL, outcome: Outcome<Void>) async throws {
        let cell = LoopCell<PublishingStage>()
        let settings = ClientSettings(connection: self.connection, trust: self.destination.trust)
        let client = try await ClientEndpoint.connect(to: url, settings: settings) { loop in
            let stage = self.makeStage(on: loop, outcome: outcome)
            cell.set(stage, on: loop)
            let peer = stage.makePeer(announcingTo: url.authority)
            return ClientEndpoint.Attachment(handler: peer) { session in
                stage.add(session, peer: peer)
                stage.start()
            }
        }
        try await self.settle(cell, outcome) {
            await client.close()
        } statistics: {
            await client.statistics
        }
    }

    private func serve(at address: ListenAddress, outcome: Outcome<Void>) async throws {
        let cell = LoopCell<PublishingStage>()
        var settings = try ServerSettings(
            connection: self.connection,
            identity: self.destination.identity,
            address: address
        )
        settings.maximumConnections = 1_024
        var limits = MoQSessionConfiguration()
        // Nothing is cut off that only pauses: the input waits for the slowest subscriber.
        limits.stallTimeout = ClientSettings.stallTimeout
        self.connection.tokenFile?.demand(in: &limits)
        let configuration = limits
        let server = try await ServerEndpoint.start(settings) { loop in
            let stage = self.makeStage(on: loop, outcome: outcome)
            cell.set(stage, on: loop)
            stage.start()
        } accept: { transport, profile, loop in
            guard let stage = cell.bound?.value else { return nil }
            let peer = stage.makePeer(announcingTo: nil)
            let session = MoQSession(
                transport: transport,
                loop: loop,
                profile: profile,
                configuration: configuration,
                handler: peer
            )
            stage.add(session, peer: peer)
            session.start()
            return session
        }
        server.announce()
        server.onFailure { outcome.fail($0) }
        try await self.settle(cell, outcome) {
            await server.stop()
        } statistics: {
            await server.statistics
        }
    }

    private func settle(
        _ cell: LoopCell<PublishingStage>,
        _ outcome: Outcome<Void>,
        close: () async -> Void,
        statistics: @escaping @Sendable () async -> MoQEndpointStatistics
    ) async throws {
        // Until here a signal ends the process at once.
        SignalWatch.process.onStop { outcome.fail(.interrupted(by: $0)) }
        try await cell.settle(outcome, figures: self.statistics, close: close, statistics: statistics)
    }
}
