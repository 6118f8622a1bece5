// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser

/// `moq pub`.
struct PublishCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pub",
        abstract: "Publish a file, or whatever arrives on standard input, as a track.",
        discussion: """
            Announces the namespace to a relay, waits for the first subscriber, sends the input as objects, ends the \
            track, and exits when everything was delivered. On a terminal, standard error shows the progress.

              moq pub moqt://relay.example:4433 -n demo -t film --input film.mp4
              tail -f log | moq pub moqt://relay.example:4433 -n logs -t web -i - --lines
              moq pub --listen 0.0.0.0:4433 --self-signed -n demo -t film --input film.mp4

            The input is cut into objects of --object-size bytes, or one per line with --lines, and --group-size \
            objects make a group. Each group travels on a stream of its own. With --datagrams each object is a \
            datagram, which may get lost and arrive in any order. Subscribers that come later get what is sent from \
            then on.
            """
    )

    @OptionGroup
    var destination: DestinationOptions

    @OptionGroup(title: "Track")
    var track: TrackOptions

    @Option(
        name: [.long, .customShort("i")],
        help: ArgumentHelp("The file to publish; - is standard input.", valueName: "file")
    )
    var input: String

    @Option(help: ArgumentHelp("Bytes per object (default: 65536; 1024 with --datagrams).", valueName: "bytes"))
    var objectSize: Int?

    @Option(help: ArgumentHelp("Objects per group.", valueName: "count"))
    var groupSize: UInt64 = 64

    @Flag(help: "Make one object per line.")
    var lines = false

    @Flag(help: "Send each object in a datagram instead of on a stream.")
    var datagrams = false

    @Option(
        help: ArgumentHelp(
            "Send at most so many objects per second (default: no limit; 1000 with --datagrams).",
            valueName: "objects/s"
        )
    )
    var rate: Double?

    @OptionGroup(title: "Figures")
    var statistics: StatisticsOptions

    @OptionGroup(title: "Connection")
    var connection: ConnectionOptions

    func validate() throws {
        let maximum = self.datagrams ? PublicationPlan.maximumDatagramPayload : PublicationPlan.maximumObjectSize
        if let size = self.objectSize {
            guard (1...maximum).contains(size) else {
                throw ValidationError(
                    "--object-size must be 1 to \(maximum)\(self.datagrams ? ", to fit a datagram" : "")"
                )
            }
            guard !self.lines else {
                throw ValidationError("--object-size and --lines exclude each other")
            }
        }
        guard self.groupSize > 0 else {
            throw ValidationError("--group-size must be at least 1")
        }
        if let rate = self.rate {
            guard rate > 0, rate <= 1e6 else {
                throw ValidationError("--rate must be more than 0 and at most 1000000")
            }
        }
    }

    /// What the options ask for.
    var plan: PublicationPlan {
        let maximum = self.datagrams ? PublicationPlan.maximumDatagramPayload : PublicationPlan.maximumLineLength
        let size = self.objectSize ?? (self.datagrams ? 1_024 : 65_536)
        return PublicationPlan(
            rule: self.lines ? .lines(maximum: maximum) : .size(size),
            groupSize: self.groupSize,
            usesDatagrams: self.datagrams,
            rate: self.rate ?? (self.datagrams ? PublicationPlan.defaultDatagramRate : nil)
        )
    }

    func run() async throws {
        self.connection.startLogging()
        try await PublishRun(self).run()
    }
}
