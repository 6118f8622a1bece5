// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQPicoQuic
internal import MoQWire
internal import PacketLoop
internal import PicoQuic
internal import WebTransport

/// The publisher and the subscribers of a load, each side on a loop with a thread of its own.
final class LoadStage: LoadScene {
    /// Everything that was counted, in one look at each side.
    struct Sample: Sendable {
        var publisher: LoadPublisher.Figures
        var crowd: LoadCrowd.Figures
        var own: ProcessUsage
        var relay: ProcessUsage?
    }

    /// What gives the publisher its loop.
    private enum PublisherBasis: Sendable {
        /// It connects to a relay.
        case clients(LoadClients)
        /// It serves subscribers itself.
        case server(MoQPicoQuicServer)

        func stop() async {
            switch self {
            case .clients(let clients): await clients.stop()
            case .server(let server): await server.stop()
            }
        }
    }

    /// What the sides report.
    let events: LoadEvents

    private let plan: LoadPlan
    private let relay: RelayProcess?
    private let basis: PublisherBasis
    private let clients: LoadClients
    private let publisher: LoopBound<LoadPublisher>
    private let crowd: LoopBound<LoadCrowd>

    private init(
        plan: LoadPlan,
        events: LoadEvents,
        relay: RelayProcess?,
        basis: PublisherBasis,
        clients: LoadClients,
        publisher: LoopBound<LoadPublisher>,
        crowd: LoopBound<LoadCrowd>
    ) {
        self.plan = plan
        self.events = events
        self.relay = relay
        self.basis = basis
        self.clients = clients
        self.publisher = publisher
        self.crowd = crowd
    }

    // MARK: - Beginning

    /// Brings both sides up: at the relay, or directly when there is none. Returns when all subscribers are subscribed.
    /// - Throws: ``CommandFailure``, and then nothing is left.
    static func start(_ plan: LoadPlan, _ options: LoadOptions) async throws -> LoadStage {
        let relay = try plan.relayPID.map { (pid) throws(CommandFailure) in try RelayProcess(pid) }
        let events = LoadEvents()
        let track = LoadPlan.makeTrack()
        if let url = options.url {
            let server = LoadServer(url, connection: options.connection, trust: options.trust)
            let readers = server.forSubscribers(options)
            let clients = try await LoadClients(label: "bench-pub", to: server)
            let loop = clients.loop
            let basis = PublisherBasis.clients(clients)
            do {
                let publisher = try await loop.run {
                    LoopBound(
                        LoadPublisher(loop: loop, track: track, plan: plan, announces: true, events: events),
                        on: loop
                    )
                }
                try await clients.connect { transport, profile in
                    publisher.value.join(transport, profile: profile, configuration: server.session)
                }
                try await events.wait(for: events.announced, "the relay did not answer the publisher's namespace")
                return try await self.fill(plan, readers, track, events, relay, basis, publisher)
            } catch {
                await basis.stop()
                throw error
            }
        }
        let cell = LoopCell<LoadPublisher>()
        let (server, fingerprint) = try self.makeServer(options.connection) { loop in
            cell.set(LoadPublisher(loop: loop, track: track, plan: plan, announces: false, events: events), on: loop)
        } accept: { transport, profile in
            cell.bound?.value.join(transport, profile: profile, configuration: LoadServer.sessionConfiguration)
        }
        let basis = PublisherBasis.server(server)
        do {
            let port = try await server.start(on: .loopback(port: 0)).port
            guard let publisher = cell.bound else { throw CommandFailure("the publisher did not start") }
            let target = LoadServer(port: port, fingerprint: fingerprint, connection: options.connection)
                .forSubscribers(options)
            return try await self.fill(plan, target, track, events, relay, basis, publisher)
        } catch {
            await basis.stop()
            throw (error as? QUICError).map { CommandFailure($0.message) } ?? error
        }
    }

    private static func makeServer(
        _ connection: ConnectionOptions,
        prepare: @escaping @Sendable (PacketLoop) -> Void,
        accept: @escaping @Sendable (any WebTransportSession, DraftProfile) -> MoQSession?
    ) throws(CommandFailure) -> (MoQPicoQuicServer, SHA256Fingerprint) {
        do throws(QUICError) {
            let certificate = try SelfSignedCertificate()
            var configuration = MoQEndpointConfiguration(
                drafts: connection.drafts.versions,
                credentials: .selfSigned(certificate)
            )
            connection.apply(to: &configuration.quic)
            let server = MoQPicoQuicServer(configuration: configuration, label: "bench-pub") { loop in
                prepare(loop)
                return accept
            }
            return (server, certificate.fingerprint)
        } catch {
            throw CommandFailure(error.message)
        }
    }

    /// Connects the subscribers.
    private static func fill(
        _ plan: LoadPlan,
        _ server: LoadServer,
        _ track: FullTrackName,
        _ events: LoadEvents,
        _ relay: RelayProcess?,
        _ basis: PublisherBasis,
        _ publisher: LoopBound<LoadPublisher>
    ) async throws -> LoadStage {
        let clients = try await LoadClients(label: "bench-sub", to: server)
        let loop = clients.loop
        do {
            let crowd = try await loop.run {
                LoopBound(
                    LoadCrowd(loop: loop, track: track, plan: plan, configuration: server.session, events: events),
                    on: loop
                )
            }
            if let ramp = plan.ramp {
                let slow = plan.slowSubscribers > 0 ? ", of whom \(plan.slowSubscribers) will not read" : ""
                StandardStreams.note(
                    "bench: connecting \(plan.subscribers) subscribers\(slow), \(Quantity.decimal(ramp, digits: 1)) per second\n"
                )
            }
            try await clients.connect(plan.subscribers, perSecond: plan.ramp) { transport, profile in
                crowd.value.join(transport, profile: profile)
            }
            try await events.wait(for: events.subscribed, "not every subscriber was answered")
            return LoadStage(
                plan: plan,
                events: events,
                relay: relay,
                basis: basis,
                clients: clients,
                publisher: publisher,
                crowd: crowd
            )
        } catch {
            await clients.stop()
            throw error
        }
    }

    // MARK: - The load

    /// Lets the objects flow.
    func start(_ schedule: LoadSchedule) async throws {
        try await self.onCrowd { $0.start(schedule) }
        try await self.onPublisher { $0.start(schedule) }
    }

    /// Sends no more.
    func stopSending() async throws {
        try await self.onPublisher { $0.stop() }
    }

    /// Looks at everything. A relay's process that has ended meanwhile has nothing to say.
    func sample() async throws -> Sample {
        let crowd = try await self.onCrowd { $0.figures }
        let publisher = try await self.onPublisher { $0.figures }
        return Sample(publisher: publisher, crowd: crowd, own: .own, relay: try? self.relay?.usage())
    }

    /// How long objects took, and how late they were handed over.
    func histograms() async throws -> (latency: LatencyHistogram, lag: LatencyHistogram) {
        (try await self.onCrowd { $0.latency }, try await self.onPublisher { $0.lag })
    }

    /// The draft that the subscribers speak.
    func draft() async throws -> DraftVersion? {
        try await self.onCrowd { $0.draft }
    }

    /// Closes everything.
    func close() async {
        try? await self.onCrowd { $0.close() }
        try? await self.onPublisher { $0.close() }
        await self.clients.stop()
        await self.basis.stop()
    }

    private func onCrowd<R: Sendable>(_ body: @escaping @Sendable (LoadCrowd) -> R) async throws -> R {
        let crowd = self.crowd
        return try await Self.run(on: crowd.loop) { body(crowd.value) }
    }

    private func onPublisher<R: Sendable>(_ body: @escaping @Sendable (LoadPublisher) -> R) async throws -> R {
        let publisher = self.publisher
        return try await Self.run(on: publisher.loop) { body(publisher.value) }
    }

    private static func run<R: Sendable>(
        on loop: PacketLoop,
        _ body: @escaping @Sendable () -> R
    ) async throws(CommandFailure) -> R {
        do {
            return try await loop.run(body)
        } catch {
            throw CommandFailure("the loop '\(loop.label)' has stopped")
        }
    }
}
