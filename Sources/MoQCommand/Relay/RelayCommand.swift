// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser
internal import MoQPicoQuic
internal import MoQRelay
internal import PicoQuic

/// `moq relay`.
struct RelayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relay",
        abstract: "Pass tracks from publishers on to subscribers.",
        discussion: """
            Prints, on standard output, "fingerprint sha-256 HEX" when the certificate was made for this run, and then \
            "listening moqt://HOST:PORT" as soon as clients can connect. Port 0 lets the system choose one.

              moq relay --listen 127.0.0.1:4433 --self-signed
              moq relay --listen [::]:4433 --cert fullchain.pem --key privkey.pem
              moq relay --listen [::]:4433 --self-signed --upstream moqt://origin:4433

            With --upstream, what nobody publishes here is asked of another relay, or of a publisher that listens, which in \
            turn is told of what is published here. Given several times, the first is asked first. The connection leaves by \
            the address of --listen, so 127.0.0.1 reaches only this host. When it is lost, or cannot be had, it is tried \
            again after half a second, then after longer and longer times up to 30 s; standard error says what happened and \
            when the next try is. An upstream relay that leads back to this one, over any number of others, is not used.

            SIGTERM and SIGINT let the relay finish: it tells its peers with GOAWAY, waits until they are gone or \
            --drain-timeout is over, and exits with status 0. A second signal ends it at once. SIGUSR1 prints a line of \
            live counters on standard error, and so does --stats-interval; with --stats, everything that is counted.
            """
    )

    @Option(
        help: ArgumentHelp("The address to listen at.", valueName: "host:port"),
        transform: { try ListenAddress(parsing: $0) }
    )
    var listen: ListenAddress

    @OptionGroup(title: "Certificate")
    var identity: ServerIdentityOptions

    @Option(
        help: ArgumentHelp(
            "How many connections there may be at a time at each shard, up to 1000000. Further ones are refused.",
            valueName: "count"
        )
    )
    var maxConnections: UInt32 = 8_192

    @Option(
        help: ArgumentHelp(
            """
            When clients have to prove their address, which costs them a round trip and keeps forged addresses out: always, \
            or when the relay is loaded with unfinished handshakes (default: loaded).
            """,
            valueName: "always|loaded"
        ),
        transform: { text in
            switch text {
            case "always": return .always
            case "loaded": return .whenLoaded
            default: throw ValidationError("'\(text)' is neither always nor loaded")
            }
        }
    )
    var retry: QUICConfiguration.RetryPolicy = .whenLoaded

    @Option(
        help: ArgumentHelp(
            """
            How many threads relay, each with a part of the clients: 1 to \(MoQPicoQuicServer.mostShards) (default: one for \
            each core). More than 1 needs --loop epoll.
            """,
            valueName: "count"
        )
    )
    var shards: Int?

    @Option(
        help: ArgumentHelp(
            "How many MiB of objects to remember, all shards together, for who fetches them later; 0 for none.",
            valueName: "MiB"
        )
    )
    var cacheSize = MoQRelayConfiguration().maximumCachedBytes >> 20

    @OptionGroup(title: "Upstream")
    var upstream: UpstreamOptions

    @Option(help: ArgumentHelp("How many seconds peers may take to leave after SIGTERM.", valueName: "seconds"))
    var drainTimeout = SecondsArgument(seconds: 5)

    @OptionGroup(title: "Figures")
    var statistics: StatisticsOptions

    @OptionGroup(title: "Connection")
    var connection: ConnectionOptions

    func validate() throws {
        try self.identity.validateForListening()
        guard (1...1_000_000).contains(self.maxConnections) else {
            throw ValidationError("--max-connections must be 1 to 1000000")
        }
        guard (0...1_048_576).contains(self.cacheSize) else {
            throw ValidationError("--cache-size must be 0 to 1048576")
        }
        guard (1...MoQPicoQuicServer.mostShards).contains(self.shards ?? 1) else {
            throw ValidationError("--shards must be 1 to \(MoQPicoQuicServer.mostShards)")
        }
        guard (self.shards ?? 1) == 1 || self.connection.packetLoop == .epoll else {
            throw ValidationError("--shards \(self.shards ?? 1) needs --loop epoll")
        }
    }

    /// How many shards the relay has.
    var shardCount: Int {
        self.shards ?? MoQPicoQuicServer.usualShards(for: self.connection.packetLoop)
    }

    func run() async throws {
        self.connection.startLogging()
        try await RelayRun(self).run()
    }
}
