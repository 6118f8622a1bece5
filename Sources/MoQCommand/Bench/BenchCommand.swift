// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser

/// `moq bench`.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure this machine and the transport, or put a relay under load.",
        subcommands: [
            BenchWakeCommand.self, BenchTimersCommand.self, BenchChurnCommand.self, BenchSlowReaderCommand.self,
            BenchBlockedPriorityCommand.self, BenchFarewellCommand.self, BenchWireCommand.self,
        ]
    )
}

/// `moq bench wake`.
struct BenchWakeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wake",
        abstract: "Measure how long a call from another thread onto the idle loop takes.",
        discussion: """
            Starts a packet loop, lets it fall asleep before every call, and prints the time from the call to its \
            answer, in microseconds.

              moq bench wake --count 5000
            """
    )

    @Option(help: ArgumentHelp("How many calls to make.", valueName: "calls"))
    var count = 2_000

    func validate() throws {
        guard (1...10_000_000).contains(self.count) else {
            throw ValidationError("--count must be 1 to 10000000")
        }
    }

    func run() async throws {
        try await WakeRun(count: self.count).run()
    }
}

/// `moq bench timers`.
struct BenchTimersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "timers",
        abstract: "Measure what scheduling and cancelling timers on a loop costs, and how late they fire.",
        discussion: """
            Starts a packet loop, cancels timers at random beside 1, 1,000 and 100,000 others, scheduling a new one for \
            each, and prints nanoseconds for each pair; then the microseconds by which timers of 300 microseconds are \
            late.

              moq bench timers --count 1000000
            """
    )

    @Option(help: ArgumentHelp("How many timers to schedule and cancel.", valueName: "pairs"))
    var count = 1_000_000

    func validate() throws {
        guard (1...1_000_000_000).contains(self.count) else {
            throw ValidationError("--count must be 1 to 1000000000")
        }
    }

    func run() async throws {
        try await TimersRun(count: self.count).run()
    }
}

/// `moq bench wire`.
struct BenchWireCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wire",
        abstract: "Measure what writing and reading the objects of a subgroup stream costs, without any transport.",
        discussion: """
            Writes objects with their payload into memory and reads them from there, on one thread, once for each draft. \
            Prints nanoseconds per object for both, and how many objects a second go both ways. It fails when what was \
            read is not what was written.

              moq bench wire --objects 10000000 --bytes 100
            """
    )

    @Option(help: ArgumentHelp("How many objects to write and read.", valueName: "count"))
    var objects = 5_000_000

    @Option(help: ArgumentHelp("How many bytes of payload each has.", valueName: "count"))
    var bytes = 100

    @Flag(help: "Print one JSON object per draft.")
    var json = false

    func validate() throws {
        guard (1_000...1_000_000_000).contains(self.objects) else {
            throw ValidationError("--objects must be 1000 to 1000000000")
        }
        guard (0...1_000_000).contains(self.bytes) else {
            throw ValidationError("--bytes must be 0 to 1000000")
        }
    }

    func run() throws {
        try WireRun(objects: self.objects, payloadLength: self.bytes, isJSON: self.json).run()
    }
}

/// `moq bench churn`.
struct BenchChurnCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "churn",
        abstract: "Connect to a relay, subscribe and disconnect, many times in a row.",
        discussion: """
            Every cycle opens a connection, subscribes to the track (whether or not it exists), and closes the \
            connection again. Afterwards the relay's live counters have to be what they were before: send it SIGUSR1.

              moq bench churn moqt://127.0.0.1:4433 --insecure --cycles 1000 -n demo -t clock
            """
    )

    @Argument(help: ArgumentHelp("The relay.", valueName: "url"), transform: { try EndpointURL(parsing: $0) })
    var url: EndpointURL

    @Option(help: ArgumentHelp("How many cycles to run.", valueName: "count"))
    var cycles = 1_000

    @OptionGroup(title: "Track")
    var track: TrackOptions

    @OptionGroup(title: "Trusting the relay")
    var trust: ClientTrustOptions

    @OptionGroup(title: "Connection")
    var connection: ConnectionOptions

    func validate() throws {
        guard (1...100_000_000).contains(self.cycles) else {
            throw ValidationError("--cycles must be 1 to 100000000")
        }
    }

    func run() async throws {
        self.connection.startLogging()
        try await ChurnRun(self).run()
    }
}
