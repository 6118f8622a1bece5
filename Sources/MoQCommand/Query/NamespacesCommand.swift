// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser
internal import MoQWire

/// `moq namespaces`.
struct NamespacesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "namespaces",
        abstract: "Watch which namespaces appear and go.",
        discussion: """
            Prints a line on standard output for every namespace that begins with the prefix: with + when it is \
            there or appears, with - when it goes. Without a prefix it is about all of them. Goes on until interrupted, \
            or for --duration.

              moq namespaces moqt://relay.example:4433 demo
              + demo/files
              + demo/camera
              - demo/files

              moq namespaces moqt://relay.example:4433 demo --json
              {"event":"published","track_namespace":["demo","files"]}

            In the lines for people, what would break them is written as % and two hexadecimal digits.
            """
    )

    @Argument(
        help: ArgumentHelp("The relay, for example moqt://relay.example:4433.", valueName: "url"),
        transform: { try EndpointURL(parsing: $0) }
    )
    var url: EndpointURL

    @Argument(help: ArgumentHelp("What the namespaces begin with, fields separated by slashes.", valueName: "prefix"))
    var prefix = ""

    @Option(help: ArgumentHelp("End after so many seconds (default: when interrupted).", valueName: "seconds"))
    var duration: SecondsArgument?

    @Flag(help: "Print an object of JSON per line.")
    var json = false

    @OptionGroup(title: "Trusting the relay")
    var trust: ClientTrustOptions

    @OptionGroup(title: "Connection")
    var connection: ConnectionOptions

    func validate() throws {
        let namespace = TrackNamespace(path: self.prefix)
        guard namespace.count <= TrackNamespace.maximumFieldCount else {
            throw ValidationError(
                "the prefix '\(self.prefix)' must have at most \(TrackNamespace.maximumFieldCount) fields"
            )
        }
        guard namespace.byteCount <= TrackNamespace.maximumByteCount else {
            throw ValidationError("the prefix is longer than \(TrackNamespace.maximumByteCount) bytes")
        }
    }

    func run() async throws {
        self.connection.startLogging()
        try await NamespacesRun(self).run()
    }
}
