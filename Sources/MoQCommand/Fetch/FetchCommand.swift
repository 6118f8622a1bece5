// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser
internal import MoQ
internal import MoQWire

/// `moq fetch`.
struct FetchCommand: AsyncParsableCommand, OutputCommand {
    static let configuration = CommandConfiguration(
        commandName: "fetch",
        abstract: "Fetch what a track has published already.",
        discussion: """
            Writes the payloads of the objects from --from through --to, in the order of the request, to standard output \
            or to a file that appears under its name only when everything is there. Places are a group, such as 12, or an \
            object in it, such as 12/3; what is fetched ends where the track is, at the latest.

              moq fetch moqt://relay.example:4433 -n demo -t film --from 3 --to 5 -o out
              moq fetch moqt://relay.example:4433 -n demo -t film --order descending

            --join subscribes as well, and fetches what came before the subscription, from so many groups back; \
            --join-from begins with a group of that number. With --follow, the live track comes right behind it: every \
            object from there on, once and in order.

              moq fetch moqt://relay.example:4433 -n demo -t clock --join 10 --follow

            A part that the relay does not know about is a failure with --output FILE, unless --allow-gaps is given, and \
            a note otherwise.
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

    @Option(help: ArgumentHelp("Where to begin (default: with group 0).", valueName: "place"))
    var from: LocationArgument?

    @Option(help: ArgumentHelp("What to end with (default: what is newest).", valueName: "place"))
    var to: LocationArgument?

    @Option(help: ArgumentHelp("Subscribe, and fetch from so many groups before that.", valueName: "groups"))
    var join: UInt64?

    @Option(help: ArgumentHelp("Subscribe, and fetch from this group on to there.", valueName: "group"))
    var joinFrom: UInt64?

    @Flag(help: "Go on with the live track, until it ends.")
    var follow = false

    @Option(help: ArgumentHelp("With --follow: end after so many seconds.", valueName: "seconds"))
    var duration: SecondsArgument?

    @Option(
        help: ArgumentHelp("The order of the groups, ascending or descending.", valueName: "order"),
        transform: { text in
            switch text {
            case "ascending": return .ascending
            case "descending": return .descending
            default: throw ValidationError("the group order is ascending or descending, not '\(text)'")
            }
        }
    )
    var order: GroupOrder = .ascending

    @Option(
        help: ArgumentHelp(
            "The priority among the requests of the session, 0 to 255; lower goes first (default: 128).",
            valueName: "number"
        )
    )
    var priority: UInt8?

    @Option(
        name: [.long, .customShort("o")],
        help: ArgumentHelp("Where to write; - is standard output.", valueName: "file")
    )
    var output = "-"

    @Flag(help: "Accept that parts of the track are lost.")
    var allowGaps = false

    @Option(
        help: ArgumentHelp(
            "How many MiB of the live track may wait for what came before, or for objects that have not arrived.",
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

    /// Where the fetch joins a subscription; nil when it stands alone.
    var joining: JoiningStart? {
        self.join.map { .groupsBack($0) } ?? self.joinFrom.map { .group($0) }
    }

    func validate() throws {
        guard self.join == nil || self.joinFrom == nil else {
            throw ValidationError("--join and --join-from exclude each other")
        }
        if self.joining != nil {
            guard self.from == nil, self.to == nil else {
                throw ValidationError("--from and --to exclude --join and --join-from, which end at the live track")
            }
        } else if self.follow {
            throw ValidationError("--follow goes with --join or --join-from")
        }
        guard self.duration == nil || self.follow else {
            throw ValidationError("--duration goes with --follow")
        }
        guard !self.follow || self.order == .ascending else {
            throw ValidationError("--follow goes with --order ascending")
        }
        if let from = self.from, let to = self.to, to.end.location < from.start {
            throw ValidationError("--to lies before --from")
        }
        guard (1...4_096).contains(self.reorderLimit) else {
            throw ValidationError("--reorder-limit must be 1 to 4096")
        }
        guard !self.output.isEmpty else {
            throw ValidationError("--output must not be empty")
        }
    }

    func run() async throws {
        self.connection.startLogging()
        try await FetchRun(self).run()
    }
}
