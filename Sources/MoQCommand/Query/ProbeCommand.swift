// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser

/// `moq probe`.
struct ProbeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "probe",
        abstract: "Say which drafts a relay speaks.",
        discussion: """
            Makes a connection of its own for each draft of --drafts and prints a line: the draft, yes or no, and for a \
            draft that the relay speaks how long it took until both sides had sent SETUP, and the name that the relay \
            gives itself. A draft counts as spoken when SETUP came, not when QUIC agreed on it.

              moq probe moqt://relay.example:4433
              18  yes  31.2 ms  moqingbird
              16  no   no common draft

              moq probe moqt://relay.example:4433 --drafts 18 --json
              {"draft":18,"spoken":true,"setup_us":31204,"implementation":"moqingbird"}

            Exit status: 0 when the relay speaks at least one of the drafts, 1 when it speaks none or cannot be reached.
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

    @Flag(help: "Print an object of JSON per draft.")
    var json = false

    @OptionGroup(title: "Trusting the relay")
    var trust: ClientTrustOptions

    @OptionGroup(title: "Connection")
    var connection: ConnectionOptions

    func run() async throws {
        self.connection.startLogging()
        try await ProbeRun(self).run()
    }
}
