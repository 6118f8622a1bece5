// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import Testing

@testable import MoQCommand

/// `--token-file`, between real processes on loopback.
@Suite("Tokens from the command line", .timeLimit(.minutes(2)))
struct TokenCommandTests {
    private static let track = ["-n", "test/news", "-t", "lines"]

    @Test("A relay with a file of tokens serves only who shows one of them", arguments: [18, 16, 14])
    func relay(draft: Int) async throws {
        try await TemporaryDirectory.use { directory in
            func file(_ name: String, _ text: String) throws -> [String] {
                let path = "\(directory)/\(name)"
                try Data(text.utf8).write(to: URL(fileURLWithPath: path))
                return ["--token-file", path]
            }
            let accepted = try file("relay", "# tokens of the relay\n\npublishing\nreading\n")
            let relay = try await RunningRelay(options: ["--drafts", "\(draft)"] + accepted)
            let common = [relay.url, "--fingerprint", relay.fingerprint] + Self.track
            let source = directory + "/source"
            try Data("one\ntwo\n".utf8).write(to: URL(fileURLWithPath: source))
            let input = ["--input", source, "--lines"]
            for options in [[], try file("wrong", "publishinG\n")] {
                let refused = try await ChildProcess(["pub"] + common + input + options, input: Data()).ending()
                #expect(refused.status == 1)
                let reason = options.isEmpty ? "a token is needed here" : "the token is not known here"
                #expect(refused.complaints.contains(reason), "\(refused.complaints)")
            }
            let viewer = try ChildProcess(
                ["sub"] + common + ["--wait", "20"] + (try file("viewer", "reading\n"))
            )
            let publisher = try ChildProcess(["pub"] + common + input + (try file("publisher", "publishing\n")))
            let seen = try await viewer.ending()
            #expect(seen.status == 0, "\(seen.complaints)")
            #expect(seen.output == "one\ntwo\n")
            #expect(try await publisher.ending().status == 0)
            let bench = ["bench", "latency", relay.url, "--fingerprint", relay.fingerprint]
            let short = ["--duration", "0.1", "--warm-up", "0"]
            let refused = try await ChildProcess(bench + short, input: Data()).ending()
            #expect(refused.status == 1)
            #expect(refused.complaints.contains("a token is needed here"), "\(refused.complaints)")
            let load = try await ChildProcess(
                bench + short + (try file("load", "publishing\n")),
                input: Data()
            ).ending()
            #expect(load.status == 0, "\(load.complaints)")
            let stranger = try await ChildProcess(["status"] + common, input: Data()).ending()
            #expect(stranger.status == 1)
            #expect(
                stranger.complaints.contains("UNAUTHORIZED (0x1): a token is needed here"),
                "\(stranger.complaints)"
            )
            try await relay.stop()
        }
    }
}
