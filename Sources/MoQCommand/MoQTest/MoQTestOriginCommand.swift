// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser

/// `moq test-origin`.
struct MoQTestOriginCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test-origin",
        abstract: "Publish what the namespace of a track asks for (the moq-test protocol).",
        discussion: """
            Serves every track whose namespace is \(MoQTestTuple.protocolName) followed by the 15 parameters of \
            draft-afrind-moq-test: to subscribers that connect to --listen, or through a relay to which it announces the \
            namespace \(MoQTestTuple.protocolName). Answers SUBSCRIBE, FETCH, TRACK_STATUS, and with PUBLISH a \
            subscription to the namespace of a track. Ends with a signal.

              moq test-origin --listen 127.0.0.1:4433 --self-signed
              moq test-origin moqt://relay.example:4433

            moq test-client verifies what arrives.
            """
    )

    @OptionGroup
    var destination: DestinationOptions

    @OptionGroup(title: "Figures")
    var statistics: StatisticsOptions

    @OptionGroup(title: "Connection")
    var connection: ConnectionOptions

    func run() async throws {
        self.connection.startLogging()
        try await MoQTestOriginRun(self).run()
    }
}
