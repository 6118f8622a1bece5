// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser

/// `moq bench`.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Put a relay under load, or measure the transport and this machine.",
        discussion: """
            throughput, latency, fanout and slow make a load, for any relay whose URL they get, or without a relay; churn \
            and idle are for relays; the others measure parts of this program.

              moq bench throughput
              moq bench latency moqt://127.0.0.1:4433 --insecure --rate 1000
              moq bench fanout moqt://127.0.0.1:4433 --insecure --subscribers 200 --json
            """,
        subcommands: [
            BenchThroughputCommand.self, BenchLatencyCommand.self, BenchFanoutCommand.self, BenchSlowCommand.self,
            BenchChurnCommand.self, BenchIdleCommand.self, BenchWireCommand.self, BenchWakeCommand.self,
            BenchTimersCommand.self, BenchSlowReaderCommand.self, BenchBlockedPriorityCommand.self,
            BenchFarewellCommand.self,
        ]
    )
}

/// `moq bench wake`.
struct BenchWakeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wake",
        abstract: "Measure how long a call from another thread onto a loop takes.",
        discussion: """
            Starts a packet loop and calls it from another thread: when it has fallen asleep, then while it is always \
            busy with work of 50 microseconds at a time. Prints the time from the call until it runs, and until its answer \
            is back, in microseconds.

              moq bench wake --count 5000 --loop epoll
            """
    )

    @Option(help: ArgumentHelp("How many calls of each kind to make.", valueName: "calls"))
    var count = 2_000

    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    @OptionGroup(title: "Connection")
    var connection: ConnectionOptions

    func validate() throws {
        guard (1...10_000_000).contains(self.count) else {
            throw ValidationError("--count must be 1 to 10000000")
        }
    }

    func run() async throws {
        try await WakeRun(
            count: self.count,
            packetLoop: self.connection.packetLoop,
            busyPoll: self.connection.busyPoll,
            isJSON: self.json
        )
        .run()
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
