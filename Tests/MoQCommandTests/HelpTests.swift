// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import ArgumentParser
import Testing

@testable import MoQCommand

@Suite("What --help prints")
struct HelpTests {
    private static let columns = 80

    /// A command with all that are below it.
    private static func all(from command: any ParsableCommand.Type) -> [any ParsableCommand.Type] {
        [command] + command.configuration.subcommands.flatMap { Self.all(from: $0) }
    }

    @Test("Every command is told with an example that can be copied: none is wider than a terminal, and so taken apart")
    func examples() {
        let commands = Self.all(from: RootCommand.self)
        #expect(commands.count > 20)
        for command in commands {
            let lines = command.configuration.discussion.split(separator: "\n")
            // What a command prints is shown as it is.
            let examples = lines.filter { $0.hasPrefix("  ") && !$0.hasPrefix("  {") }
            #expect(examples.contains { $0.contains("moq ") }, "\(command) has none")
            for line in examples {
                #expect(line.count <= Self.columns, "\(command): \(line)")
            }
        }
    }

    @Test("No default is told twice")
    func defaults() {
        for command in Self.all(from: RootCommand.self) {
            let help = RootCommand.helpMessage(for: command, columns: Self.columns)
            let words = help.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            #expect(words.firstMatch(of: /\(default[^()]*\)\. \(default/) == nil, "\(command)")
        }
    }
}
