// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser

/// `moq sub`.
struct SubscribeCommand: AsyncParsableCommand, OutputCommand {
    static let configuration = CommandConfiguration(
        commandName: "sub",
        abstract: "Subscribe to a track and write what arrives.",
        discussion: """
            Writes the payloads of the track's objects in order, to standard output or to a file that appears under its \
            name only when the track ended well. Exits with status 0 at the end of the track or after --duration.

              moq sub moqt://relay.example:4433 -n demo -t film --output film.mp4 --wait 60
              moq sub moqt://relay.example:4433 -n demo -t clock --duration 10 --stats

            A track that began earlier is received from where it is now; a note says so. With --output FILE it is a \
            failure when a part of the track is lost, unless --allow-gaps is given. --stats begins with what arrived, \
            for clock tracks with the latency, too.
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

    @OptionGroup(title: "Track")
    var track: TrackOptions

    @Option(
        name: [.long, .customShort("o")],
        help: ArgumentHelp("Where to write; - is standard output.", valueName: "file")
    )
    var output = "-"

    @Option(
        help: ArgumentHelp("Wait up to so many seconds for a track that does not exist yet.", valueName: "seconds")
    )
    var wait = SecondsArgument(seconds: 0)

    @Option(help: ArgumentHelp("End after so many seconds (default: at the end of the track).", valueName: "seconds"))
    var duration: SecondsArgument?

    @Flag(help: "Accept that parts of the track are lost.")
    var allowGaps = false

    @Option(
        help: ArgumentHelp(
            "How many MiB of objects may wait for earlier ones that have not arrived.",
            valueName: "MiB"
        )
    )
    var reorderLimit = 64

    @OptionGroup(title: "Trusting the relay")
    var trust: ClientTrustOptions

    @OptionGroup(title: "Figures")
    var statistics: StatisticsOptions

    @OptionGroup(title: "Connection")
    var connection: ConnectionOptions

    func validate() throws {
        guard (1...4_096).contains(self.reorderLimit) else {
            throw ValidationError("--reorder-limit must be 1 to 4096")
        }
        guard !self.output.isEmpty else {
            throw ValidationError("--output must not be empty")
        }
    }

    func run() async throws {
        self.connection.startLogging()
        try await SubscribeRun(self).run()
    }
}
