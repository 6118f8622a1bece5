// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQPicoQuic
internal import MoQWire
internal import PacketLoop
internal import WebTransport

/// `moq bench churn`, running: all connections over one socket, on one thread.
struct ChurnRun {
    /// What became of the visits.
    private struct Tally {
        var done = 0
        var failures = 0
        var lastFailure = ""
        /// How long visits took, from the first packet to the answer to the last subscription.
        var visits = LatencyHistogram()
    }

    private let command: BenchChurnCommand

    /// Takes the options.
    init(_ command: BenchChurnCommand) {
        self.command = command
    }

    /// Runs the cycles and prints how it went.
    func run() async throws {
        let relay = try self.command.relayPid.map { (pid) throws(CommandFailure) in try RelayProcess(pid) }
        let server = LoadServer(self.command.url, connection: self.command.connection, trust: self.command.trust)
        guard let named = self.command.name else {
            let namespace = LoadPlan.makeTrack().namespace
            let tracks = (0..<self.command.subscriptions).map { FullTrackName(namespace: namespace, name: "\($0)") }
            let (origin, events) = try await QuietOrigin.start(namespace, at: server)
            do {
                try await self.run(tracks, published: events.broken, server, relay)
            } catch {
                await origin.stop()
                throw error
            }
            await origin.stop()
            return
        }
        try await self.run([named], published: nil, server, relay)
    }

    /// `published` tells when the tracks are gone, which are published here; nil when somebody else may have them, or nobody.
    private func run(
        _ tracks: [FullTrackName],
        published: Outcome<Void>?,
        _ server: LoadServer,
        _ relay: RelayProcess?
    ) async throws {
        let interrupted = Outcome<Int32>()
        SignalWatch.process.onStop { interrupted.succeed($0) }
        let clients = try await LoadClients(label: "bench-churn", to: server)
        let loop = clients.loop
        do {
            let figures = try await loop.run { LoopBound(ChurnFigures(), on: loop) }
            let before = try relay?.usage()
            let began = BenchClock.now
            let isOver = { interrupted.result != nil || published?.result != nil }
            let tally = await self.visit(tracks, clients, server, figures, isPublished: published != nil, isOver)
            let seconds = Double(BenchClock.now - began) / 1e9
            let parts = try await loop.run { (figures.value.setUp, figures.value.subscribed) }
            let used = try relay.map { (relay) throws(CommandFailure) in
                try relay.usage().cpuSeconds - (before?.cpuSeconds ?? 0)
            }
            self.report(tally, seconds, setUp: parts.0, subscribed: parts.1, relaySeconds: used)
            await clients.stop()
            if case .success(let signal) = interrupted.result {
                throw CommandFailure.interrupted(by: signal)
            }
            if case .failure(let failure) = published?.result {
                throw failure
            }
            if tally.failures > 0 {
                throw CommandFailure(
                    "\(tally.failures) of \(tally.done) cycles failed, the last one: \(tally.lastFailure)"
                )
            }
        } catch {
            await clients.stop()
            throw error
        }
    }

    /// Makes all visits, several at a time.
    private func visit(
        _ tracks: [FullTrackName],
        _ clients: LoadClients,
        _ server: LoadServer,
        _ figures: LoopBound<ChurnFigures>,
        isPublished: Bool,
        _ isOver: () -> Bool
    ) async -> Tally {
        var tally = Tally()
        let cycles = self.command.cycles
        await withTaskGroup(of: (UInt64, CommandFailure?).self) { group in
            func count(_ result: (UInt64, CommandFailure?)) {
                tally.done += 1
                if let failure = result.1 {
                    tally.failures += 1
                    tally.lastFailure = failure.message
                } else {
                    tally.visits.record(result.0)
                }
                if tally.done % max(1, cycles / 10) == 0 {
                    StandardStreams.note("churn: \(tally.done) of \(cycles) cycles, \(tally.failures) failures\n")
                }
            }
            for number in 0..<cycles where !isOver() {
                if number >= self.command.atOnce, let result = await group.next() {
                    count(result)
                }
                group.addTask { await Self.visit(tracks, clients, server, figures, isPublished: isPublished) }
            }
            for await result in group {
                count(result)
            }
        }
        return tally
    }

    /// Connects, subscribes, waits for the answers, and disconnects.
    /// - Returns: how long that took, in nanoseconds, and why it failed, if it did.
    private static func visit(
        _ tracks: [FullTrackName],
        _ clients: LoadClients,
        _ server: LoadServer,
        _ figures: LoopBound<ChurnFigures>,
        isPublished: Bool
    ) async -> (UInt64, CommandFailure?) {
        let began = BenchClock.now
        let outcome = Outcome<Void>()
        let cell = LoopCell<MoQSession>()
        let loop = clients.loop
        var failure: CommandFailure?
        do throws(CommandFailure) {
            try await clients.connect { transport, profile in
                let session = MoQSession(
                    transport: transport,
                    loop: loop,
                    profile: profile,
                    configuration: server.session,
                    handler: ChurnPeer(
                        tracks: tracks,
                        isPublished: isPublished,
                        figures: figures.value,
                        outcome: outcome
                    )
                )
                cell.set(session, on: loop)
                session.start()
            }
            if case .failure(let error) = await outcome.settled() {
                failure = error as? CommandFailure ?? CommandFailure("\(error)")
            }
        } catch {
            failure = error
        }
        let duration = BenchClock.now - began
        await cell.finish { session, done in
            session.close(.noError, reason: "")
            done()
        }
        return (duration, failure)
    }

    private func report(
        _ tally: Tally,
        _ seconds: Double,
        setUp: LatencyHistogram,
        subscribed: LatencyHistogram,
        relaySeconds: Double?
    ) {
        let sessions = seconds > 0 ? Double(tally.done - tally.failures) / seconds : 0
        let subscriptions = seconds > 0 ? Double(subscribed.count) / seconds : 0
        guard !self.command.json else {
            var json = JSONObject()
            json.add("command", .text("churn"))
            json.add("url", .text(self.command.url.url.description))
            json.add("cycles", UInt64(tally.done))
            json.add("failures", UInt64(tally.failures))
            json.add("at_once", UInt64(self.command.atOnce))
            json.add("seconds", .decimal(seconds))
            json.add("sessions_per_second", .decimal(sessions))
            json.add("subscriptions_per_second", .decimal(subscriptions))
            json.add("visit_us", .object(LoadReport.json(tally.visits)))
            json.add("setup_us", .object(LoadReport.json(setUp)))
            json.add("subscribe_us", .object(LoadReport.json(subscribed)))
            json.add("relay_cpu_seconds", relaySeconds.map { .decimal($0) } ?? .null)
            StandardStreams.say(json.rendered)
            return
        }
        StandardStreams.say("cycles    \(tally.done)")
        StandardStreams.say("failures  \(tally.failures)")
        StandardStreams.say("visit     \(LoadReport.text(tally.visits))")
        StandardStreams.say("setup     \(LoadReport.text(setUp))")
        StandardStreams.say("subscribe \(LoadReport.text(subscribed))")
        if let relaySeconds {
            StandardStreams.say("relay     cpu \(Quantity.decimal(relaySeconds, digits: 2)) s")
        }
        StandardStreams.say("rate      subscriptions/s \(Quantity.decimal(subscriptions, digits: 1))")
        StandardStreams.say("rate      sessions/s \(Quantity.decimal(sessions, digits: 1))")
    }
}
