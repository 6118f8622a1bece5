// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser

/// `moq status`.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Ask about a track without subscribing to it.",
        discussion: """
            Prints, on standard output, how far the track is: the group and the object of its largest location, or none \
            when nothing was published yet. A track that cannot be had is a failure, told with the draft's name and \
            number of the code.

              moq status moqt://relay.example:4433 -n demo -t clock
              draft    18
              largest  1788231600/0
              expires  not said

              moq status moqt://relay.example:4433 -n demo -t clock --json
              {"draft":18,"largest_location":{"group":1788231600,"object":0},"track_properties":[]}
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

    @Flag(help: "Print one object of JSON, also for a track that cannot be had.")
    var json = false

    @OptionGroup(title: "Trusting the relay")
    var trust: ClientTrustOptions

    @OptionGroup(title: "Connection")
    var connection: ConnectionOptions

    func run() async throws {
        self.connection.startLogging()
        try await StatusRun(self).run()
    }
}
