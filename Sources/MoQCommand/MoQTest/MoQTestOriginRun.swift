// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import PacketLoop

/// `moq test-origin`, running: at a relay, or serving subscribers.
struct MoQTestOriginRun {
    private let command: MoQTestOriginCommand

    /// Takes the options.
    init(_ command: MoQTestOriginCommand) {
        self.command = command
    }

    /// Publishes until something fails or a signal comes, which is how it should end.
    func run() async throws {
        let outcome = Outcome<Void>()
        SignalWatch.process.onStop { _ in outcome.succeed(()) }
        if let url = self.command.destination.url {
            try await self.publish(to: url, outcome: outcome)
        } else if let listen = self.command.destination.listen {
            try await self.serve(at: listen, outcome: outcome)
        }
    }

    private func publish(to url: EndpointURL, outcome: Outcome<Void>) async throws {
        let cell = LoopCell<MoQTestOriginStage>()
        let settings = ClientSettings(connection: self.command.connection, trust: self.command.destination.trust)
        let client = try await ClientEndpoint.connect(to: url, settings: settings) { loop in
            let stage = MoQTestOriginStage(loop: loop, outcome: outcome)
            cell.set(stage, on: loop)
            let peer = stage.makePeer(announcingTo: url.authority)
            return ClientEndpoint.Attachment(handler: peer) { session in
                stage.add(session, peer: peer)
            }
        }
        try await cell.settle(outcome, figures: self.command.statistics) {
            await client.close()
        } statistics: {
            await client.statistics
        }
    }

    private func serve(at address: ListenAddress, outcome: Outcome<Void>) async throws {
        let cell = LoopCell<MoQTestOriginStage>()
        let settings = try ServerSettings(
            connection: self.command.connection,
            identity: self.command.destination.identity,
            address: address
        )
        let server = try await ServerEndpoint.start(settings) { loop in
            cell.set(MoQTestOriginStage(loop: loop, outcome: outcome), on: loop)
        } accept: { transport, profile, loop in
            guard let stage = cell.bound?.value else { return nil }
            let peer = stage.makePeer(announcingTo: nil)
            let session = MoQSession(
                transport: transport,
                loop: loop,
                profile: profile,
                configuration: MoQSessionConfiguration(),
                handler: peer
            )
            stage.add(session, peer: peer)
            session.start()
            return session
        }
        server.announce()
        server.onFailure { outcome.fail($0) }
        try await cell.settle(outcome, figures: self.command.statistics) {
            await server.stop()
        } statistics: {
            await server.statistics
        }
    }
}
