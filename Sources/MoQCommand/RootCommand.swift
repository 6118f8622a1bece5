// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser

/// `moq`.
struct RootCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "moq",
        abstract: "Media over QUIC: relay, publish and subscribe to tracks.",
        discussion: """
            A publisher and a subscriber meet at a relay:

              moq relay --listen 127.0.0.1:4433 --self-signed
              moq sub moqt://127.0.0.1:4433 --fingerprint HEX -n demo -t file \\
                  --wait 60 --output copy.bin
              moq pub moqt://127.0.0.1:4433 --fingerprint HEX -n demo -t file \\
                  --input original.bin

            HEX is the fingerprint that the relay prints. With a certificate of a known authority, neither side needs \
            --fingerprint. Exit status: 0 when everything went well, 64 for a command line that makes no sense, 1 for \
            any other failure (decode and interop-client have more); what went wrong stands in one line on standard error.
            """,
        version: Self.version,
        subcommands: [
            RelayCommand.self, PublishCommand.self, SubscribeCommand.self, FetchCommand.self, ClockCommand.self,
            StatusCommand.self, NamespacesCommand.self, ProbeCommand.self, DecodeCommand.self, BenchCommand.self,
            MoQTestOriginCommand.self, MoQTestClientCommand.self, InteropCommand.self,
        ]
    )

    /// The version of the program.
    static let version = "moq 0.1.0 (MoQ Transport drafts \(DraftList.all.text))"
}
