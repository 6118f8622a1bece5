// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser

/// `moq bench slow-reader`.
struct BenchSlowReaderCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "slow-reader",
        abstract: "Send as fast as possible to a reader that reads nothing for a while.",
        discussion: """
            Two processes: the one that listens reads nothing for --seconds after the first byte, then everything, and \
            checks every byte; the other one writes. Both print how much memory they had, and how many bytes were sent, \
            held and queued while nobody read. --streams and --megabytes have to be the same for both.

              moq bench slow-reader --listen 127.0.0.1:4433 --self-signed --seconds 30
              moq bench slow-reader moqt://127.0.0.1:4433 --insecure
            """
    )

    @OptionGroup
    var destination: DestinationOptions

    @Option(help: ArgumentHelp("How long nothing is read.", valueName: "seconds"))
    var seconds = SecondsArgument(seconds: 30)

    @Option(help: ArgumentHelp("How many streams to use.", valueName: "count"))
    var streams = 16

    @Option(help: ArgumentHelp("How much to send in all.", valueName: "MB"))
    var megabytes = 256

    @OptionGroup(title: "Connection")
    var connection: ConnectionOptions

    func validate() throws {
        try BenchLimits.check(streams: self.streams, megabytes: self.megabytes)
    }

    func run() async throws {
        self.connection.startLogging()
        try await SlowReaderRun(self).run()
    }
}

/// `moq bench blocked-priority`.
struct BenchBlockedPriorityCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "blocked-priority",
        abstract: "Measure what a blocked stream of high priority costs the others.",
        discussion: """
            Sends on streams of low priority, over loopback within this process, once alone and once beside a stream \
            that goes before all of them but whose window is closed, in pairs, each on a new connection.

              moq bench blocked-priority --pairs 5
            """
    )

    @Option(help: ArgumentHelp("How many pairs to measure.", valueName: "count"))
    var pairs = 5

    @Option(help: ArgumentHelp("How many streams of low priority to use.", valueName: "count"))
    var streams = 4

    @Option(help: ArgumentHelp("How much to send each time.", valueName: "MB"))
    var megabytes = 200

    @OptionGroup(title: "Connection")
    var connection: ConnectionOptions

    func validate() throws {
        try BenchLimits.check(streams: self.streams, megabytes: self.megabytes)
        guard (1...1_000).contains(self.pairs) else {
            throw ValidationError("--pairs must be 1 to 1000")
        }
    }

    func run() async throws {
        self.connection.startLogging()
        try await BlockedPriorityRun(self).run()
    }
}

/// `moq bench farewell`.
struct BenchFarewellCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "farewell",
        abstract: "Stop a relay that has many clients, and measure how soon all of them know.",
        discussion: """
            Each round starts a relay and connects the clients, over loopback within this process, stops the relay, and \
            prints the seconds until the last client was told. It fails when one was not, or when anything is left.

              moq bench farewell --clients 500 --rounds 5
            """
    )

    @Option(help: ArgumentHelp("How many clients to connect.", valueName: "count"))
    var clients = 500

    @Option(help: ArgumentHelp("How often.", valueName: "count"))
    var rounds = 5

    @OptionGroup(title: "Connection")
    var connection: ConnectionOptions

    func validate() throws {
        guard (1...8_000).contains(self.clients) else {
            throw ValidationError("--clients must be 1 to 8000")
        }
        guard (1...10_000).contains(self.rounds) else {
            throw ValidationError("--rounds must be 1 to 10000")
        }
    }

    func run() async throws {
        self.connection.startLogging()
        try await FarewellRun(self).run()
    }
}

/// What measurements can be asked for.
enum BenchLimits {
    /// - Throws: what is wrong with the numbers.
    static func check(streams: Int, megabytes: Int) throws {
        guard (1...1_024).contains(streams) else {
            throw ValidationError("--streams must be 1 to 1024")
        }
        guard (1...1_000_000).contains(megabytes) else {
            throw ValidationError("--megabytes must be 1 to 1000000")
        }
    }
}
