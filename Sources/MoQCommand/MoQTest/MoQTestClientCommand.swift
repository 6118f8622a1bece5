// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser
internal import MoQWire

/// `moq test-client`.
struct MoQTestClientCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test-client",
        abstract: "Ask for a track of the moq-test protocol and verify every object of it.",
        discussion: """
            The namespace says what the track consists of, see draft-afrind-moq-test. Its fields are, in this order: \
            \(MoQTestTuple.protocolName), forwarding preference (0 a subgroup per group, 1 a subgroup per object, 2 two \
            subgroups per group, 3 datagrams), start group, start object, last group, last object, objects per group, size \
            of the first object, size of the others, milliseconds between objects, group increment, object increment, \
            end-of-group markers (0 or 1), integer extension, variable extension (-1 for none), delivery timeout. Blank \
            ones and those that are left out have the draft's defaults.

              moq test-client moqt://relay.example:4433 -n moq-test-00/2///4//20/////1/1
              moq test-client moqt://relay.example:4433 -n moq-test-00/0///9/////20 --fetch
              moq test-client moqt://relay.example:4433 --suite --json

            --suite asks for \(MoQTestSuite.tuples.count) tracks, one after the other. Prints a line per track, and below \
            it the differences. Exit status: 0 when there were none, 1 otherwise.
            """
    )

    @Argument(
        help: ArgumentHelp(
            "The relay, or the publisher that listens, for example moqt://relay.example:4433.",
            valueName: "url"
        ),
        transform: { try EndpointURL(parsing: $0) }
    )
    var url: EndpointURL

    @Option(
        name: [.long, .customShort("n")],
        help: ArgumentHelp("The track's namespace, its fields separated by slashes.", valueName: "fields"),
        transform: { text in
            do throws(MoQTestTupleError) {
                return try MoQTestTuple(parsing: text)
            } catch {
                throw ValidationError("not a moq-test namespace: \(error)")
            }
        }
    )
    var namespace: MoQTestTuple?

    @Option(
        name: [.long, .customShort("t")],
        help: ArgumentHelp("The name of the track in its namespace (default: a new one).", valueName: "name")
    )
    var track: String?

    @Flag(help: "Ask for many tracks that together use every parameter.")
    var suite = false

    @Flag(help: "Fetch instead of subscribing: the whole track, or what --from and --through name.")
    var fetch = false

    @Flag(help: "Have the publisher offer the track: subscribe to its namespace.")
    var publish = false

    @Option(
        help: ArgumentHelp("With --fetch: begin here.", valueName: "group:object"),
        transform: { try Self.location($0) }
    )
    var from: Location?

    @Option(
        help: ArgumentHelp("With --fetch: end here, this object included.", valueName: "group:object"),
        transform: { try Self.location($0) }
    )
    var through: Location?

    @Flag(help: "With --fetch: ask for the groups in descending order.")
    var descending = false

    @Option(help: ArgumentHelp("Wait up to so many seconds for a track that is not there.", valueName: "seconds"))
    var wait = SecondsArgument(seconds: 0)

    @Option(
        help: ArgumentHelp("Subscribe for so many seconds (default: to the end of the track).", valueName: "seconds")
    )
    var duration: SecondsArgument?

    @Flag(help: "Print the reports as JSON, a line per track.")
    var json = false

    @OptionGroup(title: "Trusting the relay")
    var trust: ClientTrustOptions

    @OptionGroup(title: "Connection")
    var connection: ConnectionOptions

    func validate() throws {
        guard self.suite != (self.namespace != nil) else {
            throw ValidationError("name a track with --namespace, or many with --suite")
        }
        guard !self.fetch || !self.publish else {
            throw ValidationError("--fetch and --publish exclude each other")
        }
        guard self.fetch || (self.from == nil && self.through == nil && !self.descending) else {
            throw ValidationError("--from, --through and --descending are for --fetch")
        }
        if self.suite {
            guard self.track == nil, self.duration == nil, !self.publish, self.from == nil, self.through == nil,
                !self.descending
            else {
                throw ValidationError("--suite takes --fetch, and nothing else about tracks")
            }
        }
        if let from = self.from, let through = self.through, through < from {
            throw ValidationError("--through is before --from")
        }
        if let tuple = self.namespace, tuple.isEndless {
            guard self.fetch ? self.through != nil : self.duration != nil else {
                throw ValidationError("the track has no end: say \(self.fetch ? "--through" : "--duration")")
            }
        }
    }

    /// What is asked for, with a name for tracks that the options do not name.
    func jobs(runName: String) -> [MoQTestJob] {
        guard let tuple = self.namespace else {
            return MoQTestSuite.jobs(runName: runName, fetch: self.fetch)
        }
        var job = MoQTestJob(tuple: tuple, trackName: self.track ?? runName)
        job.duration = self.duration?.duration
        if self.publish {
            job.method = .publish
        } else if self.fetch {
            job.method = .fetch(
                from: self.from ?? Location(group: tuple.startGroup, object: 0),
                through: self.through.map { .object($0) } ?? .group(tuple.lastGroup),
                order: self.descending ? .descending : .ascending
            )
        }
        return [job]
    }

    private static func location(_ text: String) throws -> Location {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map { UInt64($0) }
        guard parts.count == 2, let group = parts[0], let object = parts[1], max(group, object) < 1 << 62 else {
            throw ValidationError("'\(text)' is not a location such as 2:0")
        }
        return Location(group: group, object: object)
    }

    func run() async throws {
        self.connection.startLogging()
        try await MoQTestClientRun(self).run()
    }
}
