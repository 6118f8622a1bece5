// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQPicoQuic
internal import MoQWire
internal import PacketLoop
internal import WebTransport

/// `moq bench idle`, running.
struct IdleRun {
    /// How many sessions there are before anything is measured: what the relay makes once is not counted for them.
    private static let ballast = 50
    /// How long the relay gets to settle before its memory is looked at.
    private static let pause = Duration.milliseconds(500)

    private let command: BenchIdleCommand

    /// Takes the options.
    init(_ command: BenchIdleCommand) {
        self.command = command
    }

    /// Opens the sessions, then the subscriptions, and prints what each took of the relay's memory.
    func run() async throws {
        let relay = try RelayProcess(self.command.relayPid)
        let server = LoadServer(self.command.url, connection: self.command.connection, trust: self.command.trust)
        if let alpn = self.command.alpn {
            try await self.measureConnections(relay, server.speaking(alpn))
            return
        }
        let track = LoadPlan.makeTrack()
        let (origin, _) = try await QuietOrigin.start(track.namespace, at: server)
        do {
            let clients = try await LoadClients(label: "bench-idle", to: server)
            do {
                try await self.measure(relay, server, clients, track)
            } catch {
                await clients.stop()
                throw error
            }
            await clients.stop()
        } catch {
            await origin.stop()
            throw error
        }
        await origin.stop()
    }

    private func measure(
        _ relay: RelayProcess,
        _ server: LoadServer,
        _ clients: LoadClients,
        _ track: FullTrackName
    ) async throws {
        let loop = clients.loop
        let crowd = try await loop.run { LoopBound(IdleCrowd(track: track), on: loop) }
        let join: LoadClients.Maker = { transport, profile in
            crowd.value.join(transport, loop: loop, profile: profile, configuration: server.session)
        }
        try await self.wait(for: crowd, Self.ballast, \.setUp) {
            try await clients.connect(Self.ballast, perSecond: nil, join)
        }
        try await self.wait(for: crowd, Self.ballast, \.subscribed) {
            try await loop.run { crowd.value.subscribe() }
        }
        let empty = try await self.memory(of: relay)
        let sessions = self.command.sessions
        try await self.wait(for: crowd, Self.ballast + sessions, \.setUp) {
            try await clients.connect(sessions, perSecond: nil, join)
        }
        let idle = try await self.memory(of: relay)
        try await self.wait(for: crowd, Self.ballast + sessions, \.subscribed) {
            try await loop.run { crowd.value.subscribe() }
        }
        let subscribed = try await self.memory(of: relay)
        self.report(empty, idle, subscribed)
    }

    /// The same with connections and nothing else.
    private func measureConnections(_ relay: RelayProcess, _ server: LoadServer) async throws {
        let clients = try await LoadClients(label: "bench-idle", to: server)
        do {
            try await clients.connect(Self.ballast, perSecond: nil) { _, _ in }
            let empty = try await self.memory(of: relay)
            try await clients.connect(self.command.sessions, perSecond: nil) { _, _ in }
            self.report(empty, try await self.memory(of: relay), nil)
        } catch {
            await clients.stop()
            throw error
        }
        await clients.stop()
    }

    private func memory(of relay: RelayProcess) async throws -> UInt64 {
        try await Task.sleep(for: Self.pause)
        return try relay.usage().residentBytes
    }

    /// Does something and waits until so many peers have come so far.
    private func wait(
        for crowd: LoopBound<IdleCrowd>,
        _ count: Int,
        _ progress: any KeyPath<IdleCrowd, Int> & Sendable,
        _ body: () async throws -> Void
    ) async throws {
        try await body()
        let deadline = ContinuousClock.now + .seconds(10)
        while true {
            let (reached, failure) = try await crowd.loop.run { (crowd.value[keyPath: progress], crowd.value.failure) }
            if let failure { throw failure }
            if reached >= count { return }
            guard ContinuousClock.now < deadline else {
                throw CommandFailure("\(count - reached) of \(count) peers were not answered within 10 s")
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    private func report(_ empty: UInt64, _ idle: UInt64, _ subscribed: UInt64?) {
        let perSession = Self.difference(empty, idle) / Double(self.command.sessions)
        let perSubscription = subscribed.map { Self.difference(idle, $0) / Double(self.command.sessions) }
        guard !self.command.json else {
            var json = JSONObject()
            json.add("command", .text("idle"))
            json.add("url", .text(self.command.url.url.description))
            json.add("sessions", UInt64(self.command.sessions))
            json.add("resident_before_bytes", empty)
            json.add("resident_with_sessions_bytes", idle)
            json.add("resident_with_subscriptions_bytes", subscribed.map { .integer($0) } ?? .null)
            json.add("application_protocol", self.command.alpn.map { .text($0) } ?? .null)
            json.add("bytes_per_session", .decimal(perSession))
            json.add("bytes_per_subscription", perSubscription.map { .decimal($0) } ?? .null)
            StandardStreams.say(json.rendered)
            return
        }
        StandardStreams.say("sessions          \(self.command.sessions)")
        StandardStreams.say(
            "resident          \(Quantity.bytes(empty)), with sessions \(Quantity.bytes(idle))"
                + (subscribed.map { ", with subscriptions \(Quantity.bytes($0))" } ?? "")
        )
        StandardStreams.say("per session       \(Quantity.decimal(perSession, digits: 0)) bytes")
        if let perSubscription {
            StandardStreams.say("per subscription  \(Quantity.decimal(perSubscription, digits: 0)) bytes")
        }
    }

    private static func difference(_ before: UInt64, _ after: UInt64) -> Double {
        Double(after) - Double(before)
    }
}

/// Sessions that do nothing, and later subscribe to a track on which nothing comes. (loop)
private final class IdleCrowd: LoadSessionHandler, TrackConsumer {
    private let track: FullTrackName
    private var waiting: [MoQSession] = []

    /// How many sessions are set up, and how many are subscribed.
    private(set) var setUp = 0
    private(set) var subscribed = 0
    /// Why it cannot go on.
    private(set) var failure: CommandFailure?

    init(track: FullTrackName) {
        self.track = track
    }

    func join(
        _ transport: any WebTransportSession,
        loop: PacketLoop,
        profile: DraftProfile,
        configuration: MoQSessionConfiguration
    ) {
        MoQSession(
            transport: transport,
            loop: loop,
            profile: profile,
            configuration: configuration,
            handler: self
        ).start()
    }

    /// Subscribes on every session that is set up and has not subscribed.
    func subscribe() {
        let sessions = self.waiting
        self.waiting = []
        for session in sessions {
            session.subscribe(SubscribeRequest(track: self.track), consumer: self) { [weak self] result in
                switch result {
                case .success: self?.subscribed += 1
                case .failure(let error): self?.failure = CommandFailure("a subscription was refused: \(error)")
                }
            }
        }
    }

    func sessionDidSetUp(_ session: MoQSession) {
        self.setUp += 1
        self.waiting.append(session)
    }

    func session(_ session: MoQSession, didClose closure: MoQSessionClosure) {
        self.failure = self.failure ?? CommandFailure("a session was lost: \(closure)")
    }

    func beginSubgroup(_ subgroup: SubgroupDescription) -> (any SubgroupConsumer)? {
        nil
    }

    func receive(_ datagram: ObjectDatagram, payload: Bytes) {
        // Nothing is sent.
    }

    func trackEnded(_ end: TrackEnd) {
        // The session says why, or it is closed from here.
    }
}
