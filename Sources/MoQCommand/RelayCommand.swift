// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser

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

    @Option(help: ArgumentHelp("How many connections there may be at a time.", valueName: "count"))
    var maxConnections: UInt32 = 8_192

    @Option(help: ArgumentHelp("How many seconds peers may take to leave after SIGTERM.", valueName: "seconds"))
    var drainTimeout = SecondsArgument(seconds: 5)

    @OptionGroup(title: "Figures")
    var statistics: StatisticsOptions

    @OptionGroup(title: "Connection")
    var connection: ConnectionOptions

    func validate() throws {
        try self.identity.validateForListening()
        guard self.maxConnections > 0 else {
            throw ValidationError("--max-connections must be at least 1")
        }
    }

    func run() async throws {
        self.connection.startLogging()
        try await RelayRun(self).run()
    }
}
