// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQPicoQuic
internal import MoQRelay
internal import PacketLoop
internal import PicoQuic

/// `moq relay`, running.
struct RelayRun {
    private let command: RelayCommand

    /// Takes the options.
    init(_ command: RelayCommand) {
        self.command = command
    }

    /// Relays until a signal comes, then lets the peers leave.
    /// - Throws: ``CommandFailure``, when it cannot listen, or cannot go on.
    func run() async throws {
        let stopped = Outcome<Int32>()
        SignalWatch.process.onStop { stopped.succeed($0) }
        var settings = try ServerSettings(
            connection: self.command.connection,
            identity: self.command.identity,
            address: self.command.listen
        )
        // Clients must not keep the relay from connecting upstream.
        let upstreams = self.command.upstream
        settings.maximumConnections = self.command.maxConnections + UInt32(clamping: upstreams.urls.count)
        settings.endpoint.quic.verification = upstreams.verification
        settings.retryPolicy = self.command.retry
        let shards = self.command.shardCount
        settings.shards = shards
        let fleet = RelayFleet(shards: shards)
        var limits = MoQRelayConfiguration(
            maximumSessions: Int(self.command.maxConnections),
            maximumCachedBytes: (self.command.cacheSize << 20) / shards
        )
        self.command.connection.tokenFile?.demand(in: &limits.session)
        let configuration = limits
        let hasUpstreams = !upstreams.urls.isEmpty
        let server = try await ServerEndpoint.start(settings) { loop in
            fleet.addShard(on: loop, configuration)
        } join: {
            try await fleet.join(hasUpstreams: hasUpstreams) { stopped.fail($0) }
        } accept: { transport, profile, loop in
            fleet.accept(transport, profile, on: loop)
        }
        let finalCounters = Outcome<MoQRelayCounters>()
        let printer = StatisticsPrinter(self.command.statistics) {
            let endpoint = await server.statistics
            var counters = MoQRelayCounters()
            if case .success(let last) = finalCounters.result {
                counters = last
            } else {
                counters = await fleet.counters
            }
            return StatisticsReport(relay: counters, endpoint: endpoint)
        }
        printer.start()
        for url in upstreams.urls {
            await UpstreamLink(url: url, server: server, tokens: upstreams.upstreamTokenFile).add(to: fleet.first)
        }
        server.announce()
        server.onFailure { stopped.fail($0) }
        let result = await stopped.settled()
        printer.stop()
        finalCounters.succeed(await fleet.finish(drainTimeout: self.command.drainTimeout.duration))
        await server.stop()
        await printer.finish()
        _ = try result.get()
    }
}
