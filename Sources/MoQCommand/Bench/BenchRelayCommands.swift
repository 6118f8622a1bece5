// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser
internal import MoQWire

/// `moq bench churn`.
struct BenchChurnCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "churn",
        abstract: "Connect to a relay, subscribe and disconnect, many times.",
        discussion: """
            Every cycle opens a connection, subscribes, and closes the connection again. All connections share a socket and \
            a thread. The tracks are published from here and have no objects, so that each subscription goes to the \
            publisher and back; a track that is named instead is subscribed to whether or not it exists. Afterwards the \
            relay's live counters have to be what they were before: send a moq relay SIGUSR1.

              moq bench churn moqt://127.0.0.1:4433 --insecure --cycles 5000 --at-once 16
              moq bench churn moqt://127.0.0.1:4433 --insecure --subscriptions 20
              moq bench churn moqt://127.0.0.1:4433 --insecure -n demo -t clock
            """
    )

    @Argument(help: ArgumentHelp("The relay.", valueName: "url"), transform: { try EndpointURL(parsing: $0) })
    var url: EndpointURL

    @Option(help: ArgumentHelp("How many cycles to run, 1 to 100000000.", valueName: "count"))
    var cycles = 1_000

    @Option(help: ArgumentHelp("How many cycles may be under way at a time, 1 to 1000.", valueName: "count"))
    var atOnce = 8

    @Option(help: ArgumentHelp("How many tracks each session subscribes to, 0 to 1000.", valueName: "count"))
    var subscriptions = 1

    @Option(
        name: [.long, .customShort("n")],
        help: ArgumentHelp("The namespace of a track to use instead.", valueName: "a/b")
    )
    var namespace: String?

    @Option(name: [.long, .customShort("t")], help: ArgumentHelp("Its name.", valueName: "name"))
    var track: String?

    @Option(
        help: ArgumentHelp(
            "The relay's process, if it runs on this host: the CPU it uses is reported (Linux).",
            valueName: "pid"
        )
    )
    var relayPid: Int32?

    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    @OptionGroup(title: "Trusting the relay")
    var trust: ClientTrustOptions

    @OptionGroup(title: "Connection")
    var connection: ConnectionOptions

    func validate() throws {
        guard (1...100_000_000).contains(self.cycles) else {
            throw ValidationError("--cycles must be 1 to 100000000")
        }
        guard (1...1_000).contains(self.atOnce) else {
            throw ValidationError("--at-once must be 1 to 1000")
        }
        guard (0...1_000).contains(self.subscriptions) else {
            throw ValidationError("--subscriptions must be 0 to 1000")
        }
        guard (self.namespace == nil) == (self.track == nil) else {
            throw ValidationError("--namespace and --track belong together")
        }
        guard self.track == nil || self.subscriptions == 1 else {
            throw ValidationError("--track and --subscriptions exclude each other")
        }
        if let name = self.name {
            guard !name.namespace.isEmpty, name.namespace.count <= TrackNamespace.maximumFieldCount,
                name.byteCount <= TrackNamespace.maximumByteCount
            else {
                throw ValidationError(
                    "--namespace must have 1 to \(TrackNamespace.maximumFieldCount) fields, and at most "
                        + "\(TrackNamespace.maximumByteCount) bytes together with --track"
                )
            }
        }
        guard (self.relayPid ?? 1) > 0 else {
            throw ValidationError("--relay-pid must be at least 1")
        }
    }

    /// The track that was named, if one was.
    var name: FullTrackName? {
        guard let namespace = self.namespace, let track = self.track else { return nil }
        return FullTrackName(namespace: TrackNamespace(path: namespace), name: track)
    }

    func run() async throws {
        self.connection.startLogging()
        try await ChurnRun(self).run()
    }
}

/// `moq bench idle`.
struct BenchIdleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "idle",
        abstract: "Measure how much memory idle sessions and subscriptions take of a relay.",
        discussion: """
            Opens sessions that do nothing and looks at the relay's resident memory, then subscribes each of them to one \
            track without objects and looks again. The relay has to run on this host (Linux). Its memory does not shrink \
            when sessions end, so each measurement wants a relay that was just started. With --alpn it opens connections \
            without anything on them instead, to any QUIC server: what the transport alone takes.

              moq bench idle moqt://127.0.0.1:4433 --insecure --relay-pid 4711
            """
    )

    @Argument(help: ArgumentHelp("The relay.", valueName: "url"), transform: { try EndpointURL(parsing: $0) })
    var url: EndpointURL

    @Option(help: ArgumentHelp("The relay's process.", valueName: "pid"))
    var relayPid: Int32

    @Option(help: ArgumentHelp("How many sessions to open, 1 to 8000.", valueName: "count"))
    var sessions = 1_000

    @Option(
        help: ArgumentHelp(
            "Only open connections, for this application protocol (TLS ALPN).",
            valueName: "protocol"
        )
    )
    var alpn: String?

    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    @OptionGroup(title: "Trusting the relay")
    var trust: ClientTrustOptions

    @OptionGroup(title: "Connection")
    var connection: ConnectionOptions

    func validate() throws {
        guard (1...8_000).contains(self.sessions) else {
            throw ValidationError("--sessions must be 1 to 8000")
        }
        guard self.relayPid > 0 else {
            throw ValidationError("--relay-pid must be at least 1")
        }
    }

    func run() async throws {
        self.connection.startLogging()
        try await IdleRun(self).run()
    }
}
