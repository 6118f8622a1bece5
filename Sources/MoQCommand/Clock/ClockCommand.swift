// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser

/// `moq clock`.
struct ClockCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clock",
        abstract: "Publish the time as a track.",
        discussion: """
            Every tick is a line such as 2026-05-04T03:02:01.000Z, sent when the clock shows that time. Each tick is a \
            group of its own with one object; the group's id is the number of intervals since 1970, so that ids go on \
            growing when the clock is started again.

              moq clock moqt://relay.example:4433 -n demo -t clock
              moq sub moqt://relay.example:4433 -n demo -t clock --stats

            moq sub --stats compares the ticks with its own clock; both sides need the same time for that.
            """
    )

    @OptionGroup
    var destination: DestinationOptions

    @OptionGroup(title: "Track")
    var track: TrackOptions

    @Option(help: ArgumentHelp("Seconds between ticks, at least 0.001.", valueName: "seconds"))
    var interval = SecondsArgument(seconds: 1)

    @Option(
        help: ArgumentHelp("End the track after so many seconds (default: when interrupted).", valueName: "seconds")
    )
    var duration: SecondsArgument?

    @OptionGroup(title: "Figures")
    var statistics: StatisticsOptions

    @OptionGroup(title: "Connection")
    var connection: ConnectionOptions

    func validate() throws {
        guard self.interval.duration >= .milliseconds(1) else {
            throw ValidationError("--interval must be at least 0.001")
        }
    }

    func run() async throws {
        self.connection.startLogging()
        try await PublishRun(self).run()
    }
}
