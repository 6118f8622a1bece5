// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser

/// What every command that uses the network understands about figures.
struct StatisticsOptions: ParsableArguments {
    /// How figures are written.
    enum Format: String, CaseIterable, ExpressibleByArgument {
        /// For people: a subject per line.
        case text
        /// For programs: one JSON object per line.
        case json
    }

    @Flag(help: "Print figures at the end, on standard error: connections, packets, streams, queues, drops, objects.")
    var stats = false

    @Option(help: ArgumentHelp("Print figures every so many seconds, too.", valueName: "seconds"))
    var statsInterval: SecondsArgument?

    @Option(help: ArgumentHelp("How to write them: text, or json for one object per line.", valueName: "format"))
    var statsFormat = Format.text

    func validate() throws {
        if let interval = self.statsInterval, interval.duration < .milliseconds(100) {
            throw ValidationError("--stats-interval must be at least 0.1")
        }
    }
}
