// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import MoQWire
import TestSupport
import Testing

@testable import MoQCommand

/// `moq fetch`, between real processes on loopback.
@Suite("Fetching from the command line", .timeLimit(.minutes(3)))
struct FetchCommandTests {
    private static let track = ["-n", "test/past", "-t", "lines"]

    /// A relay, a publisher of lines, ten a group, and a subscriber through whom the relay gets them.
    private struct Scene {
        let relay: RunningRelay
        let publisher: ChildProcess
        let viewer: ChildProcess
        let common: [String]
        /// What has been published.
        private(set) var lines: [String] = []

        init(draft: Int, relay options: String...) async throws {
            let relay = try await RunningRelay(options: options)
            let common =
                [relay.url, "--fingerprint", relay.fingerprint, "--drafts", "\(draft)"] + FetchCommandTests.track
            self.relay = relay
            self.common = common
            self.publisher = try ChildProcess(["pub"] + common + ["--input", "-", "--lines", "--group-size", "10"])
            self.viewer = try ChildProcess(["sub"] + common + ["--wait", "20"])
        }

        /// Publishes more lines, and waits until the viewer has them all.
        mutating func publish(_ count: Int) async throws {
            let more = (self.lines.count..<self.lines.count + count).map { "line \($0)\n" }
            self.lines += more
            try self.publisher.write(more.joined())
            _ = try await self.viewer.outputBytes(atLeast: self.lines.joined().utf8.count)
        }

        /// The lines with these numbers.
        func text(_ range: Range<Int>) -> String {
            self.lines[range].joined()
        }

        func fetch(_ options: String...) throws -> ChildProcess {
            try ChildProcess(["fetch"] + self.common + options, input: Data())
        }

        /// Ends the track; everybody has to be content.
        func finish() async throws {
            self.publisher.endInput(Data())
            #expect(try await self.viewer.ending().status == 0)
            #expect(try await self.publisher.ending().status == 0)
            try await self.relay.stop()
        }
    }

    @Test("Ranges of a track that the relay remembers are fetched", arguments: [18, 16, 14])
    func ranges(draft: Int) async throws {
        var scene = try await Scene(draft: draft)
        try await scene.publish(25)
        let examples: [([String], String)] = [
            (["--from", "0", "--to", "0"], scene.text(0..<10)),
            (["--from", "1/5", "--to", "1/7"], scene.text(15..<18)),
            (["--from", "1/8", "--to", "2/1", "--priority", "3"], scene.text(18..<22)),
            ([], scene.text(0..<25)),
            (["--order", "descending"], scene.text(20..<25) + scene.text(10..<20) + scene.text(0..<10)),
            (["--join", "0"], scene.text(20..<25)),
            (["--join", "1"], scene.text(10..<25)),
            (["--join", "7"], scene.text(0..<25)),
            (["--join-from", "2"], scene.text(20..<25)),
        ]
        for (options, expected) in examples {
            let fetch = try ChildProcess(["fetch"] + scene.common + options, input: Data())
            let ending = try await fetch.ending()
            #expect(ending.status == 0, "\(options): \(ending.complaints)")
            #expect(ending.complaints.isEmpty, "\(options): \(ending.complaints)")
            #expect(ending.output == expected, "\(options)")
        }
        try await scene.finish()
    }

    @Test("A file appears, and the figures say what was fetched", arguments: [18, 16, 14])
    func file(draft: Int) async throws {
        try await TemporaryDirectory.use { directory in
            var scene = try await Scene(draft: draft)
            try await scene.publish(25)
            let copy = directory + "/copy"
            let ending = try await scene.fetch(
                "--from",
                "1",
                "--to",
                "7",
                "--output",
                copy,
                "--stats",
                "--stats-format",
                "json"
            ).ending()
            #expect(ending.status == 0, "\(ending.complaints)")
            #expect(ending.output.isEmpty)
            #expect(FileManager.default.contents(atPath: copy) == Data(scene.text(10..<25).utf8))
            let figures = try #require(
                try JSONSerialization.jsonObject(with: Data(ending.complaints.utf8)) as? [String: [String: Double]]
            )
            #expect(figures["fetch"]?["objects"] == 15)
            #expect(figures["fetch"]?["groups"] == 2)
            #expect(figures["fetch"]?["bytes"] == Double(scene.text(10..<25).utf8.count))
            #expect(figures["fetch"]?["end_group"] == 2)
            #expect(figures["fetch"]?["unknown_ranges"] == 0)
            #expect(figures["objects"]?["bytes_received"] == figures["fetch"]?["bytes"])
            #expect(figures["requests"]?["fetches"] == 0, "none is left")
            let text = try await scene.fetch("--to", "0", "--stats").ending()
            #expect(text.complaints.hasPrefix("fetched  70 bytes in 10 objects of 1 groups\nthrough  0\n"))
            try await scene.finish()
        }
    }

    @Test("What is refused is told with the draft's code, and no file is left", arguments: [18, 16, 14])
    func refused(draft: Int) async throws {
        try await TemporaryDirectory.use { directory in
            var scene = try await Scene(draft: draft)
            try await scene.publish(3)
            let late = try await scene.fetch("--from", "9", "--output", directory + "/copy").ending()
            #expect(late.status == 1)
            #expect(late.complaintLines.count == 1, "\(late.complaints)")
            #expect(
                late.complaints.hasPrefix(
                    "moq: track 'test/past/lines': FETCH failed: INVALID_RANGE (0x\(draft == 14 ? 5 : 11))"
                )
            )
            let trust = Array(scene.common[..<5])
            let code = draft == 14 ? "TRACK_DOES_NOT_EXIST (0x4)" : "DOES_NOT_EXIST (0x10)"
            let nowhere = try ChildProcess(["fetch"] + trust + ["-n", "no/such", "-t", "x"], input: Data())
            let lost = try await nowhere.ending()
            #expect(lost.status == 1)
            #expect(lost.complaints.contains("track 'no/such/x': FETCH failed: \(code)"))
            let joining = try ChildProcess(
                ["fetch"] + trust + ["-n", "no/such", "-t", "x", "--join", "1"],
                input: Data()
            )
            #expect(try await joining.ending().complaints.contains("SUBSCRIBE failed: \(code)"))
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory).isEmpty)
            try await scene.finish()
        }
    }

    @Test("A relay that remembers nothing has to ask the publisher, who keeps nothing either")
    func noCache() async throws {
        try await TemporaryDirectory.use { directory in
            var scene = try await Scene(draft: 18, relay: "--cache-size", "0")
            try await scene.publish(12)
            let ending = try await scene.fetch("--from", "0", "--to", "0").ending()
            #expect(ending.status == 0)
            #expect(ending.output.isEmpty)
            #expect(ending.complaints == "moq: note: the relay does not know what is in 1 ranges\n")
            let copy = directory + "/copy"
            let strict = try await scene.fetch("--from", "0", "--to", "0", "--output", copy).ending()
            #expect(strict.status == 1)
            #expect(strict.complaints.contains("is not complete: the relay does not know what is in 1 ranges"))
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory).isEmpty)
            let content = try await scene.fetch(
                "--from",
                "0",
                "--to",
                "0",
                "--output",
                copy,
                "--allow-gaps"
            ).ending()
            #expect(content.status == 0)
            #expect(FileManager.default.contents(atPath: copy) == Data())
            try await scene.finish()
        }
    }

    @Test("A joining fetch goes over into the live track", arguments: [18, 16, 14])
    func follow(draft: Int) async throws {
        var scene = try await Scene(draft: draft)
        try await scene.publish(25)
        let follower = try scene.fetch("--join", "1", "--follow")
        _ = try await follower.outputBytes(atLeast: scene.text(10..<25).utf8.count)
        try await scene.publish(20)
        let timed = try scene.fetch("--join", "0", "--follow", "--duration", "0.3")
        let ended = try await timed.ending()
        #expect(ended.status == 0, "\(ended.complaints)")
        #expect(ended.output == scene.text(40..<45))
        let text = scene.text(10..<45)
        try await scene.finish()
        let ending = try await follower.ending()
        #expect(ending.status == 0, "\(ending.complaints)")
        #expect(ending.output == text)
    }

    @Test("Who joins a track of a thousand objects a second late gets every one, once and in order")
    func seam() async throws {
        try await atOnce([18, 16, 14]) { draft in
            try await TemporaryDirectory.use { directory in
                let groupSize = 20
                let lines = (0..<6_000).map { "object \($0)\n" }
                let (source, copy) = (directory + "/source", directory + "/copy")
                try Data(lines.joined().utf8).write(to: URL(fileURLWithPath: source))
                let relay = try await RunningRelay()
                let common = [relay.url, "--fingerprint", relay.fingerprint, "--drafts", "\(draft)"] + Self.track
                let publisher = try ChildProcess(
                    ["pub"] + common + ["--input", source, "--lines", "--rate", "1000", "--group-size", "\(groupSize)"]
                )
                let viewer = try ChildProcess(["sub"] + common + ["--wait", "20"])
                _ = try await viewer.outputBytes(atLeast: 25_000)
                let joiner = try ChildProcess(["fetch"] + common + ["--join", "10", "--follow", "--output", copy])
                let ending = try await joiner.ending(within: 40)
                #expect(ending.status == 0, "draft \(draft): \(ending.complaints)")
                #expect(ending.complaints.isEmpty)
                let received = String(decoding: try #require(FileManager.default.contents(atPath: copy)), as: UTF8.self)
                    .split(separator: "\n", omittingEmptySubsequences: false).dropLast().map { "\($0)\n" }
                let first = try #require(received.first.flatMap { lines.firstIndex(of: $0) })
                #expect(first >= groupSize, "it began in the middle of the track")
                #expect(first % groupSize == 0, "with a whole group")
                #expect(received == Array(lines[first...]), "draft \(draft)")
                let whole = try await viewer.ending()
                #expect(whole.status == 0)
                #expect(whole.output == lines.joined())
                #expect(try await publisher.ending().status == 0)
                try await relay.stop()
            }
        }
    }

    @Test("Ctrl-C ends it with 130, and leaves nothing")
    func interrupted() async throws {
        try await TemporaryDirectory.use { directory in
            var scene = try await Scene(draft: 18)
            try await scene.publish(5)
            let follower = try scene.fetch("--join", "0", "--follow", "--output", directory + "/copy")
            #expect(await TemporaryDirectory.hasContent(directory))
            follower.send(SIGINT)
            let ending = try await follower.ending()
            #expect(ending.status == 130)
            #expect(ending.complaints.isEmpty)
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory).isEmpty)
            try await scene.finish()
        }
    }

    @Test("Places on the command line")
    func places() {
        #expect(LocationArgument(argument: "12")?.start == Location(group: 12, object: 0))
        #expect(LocationArgument(argument: "12")?.end == .group(12))
        #expect(LocationArgument(argument: "12/3")?.start == Location(group: 12, object: 3))
        #expect(LocationArgument(argument: "12/3")?.end == .object(Location(group: 12, object: 3)))
        #expect(LocationArgument(argument: "\(UInt64(1) << 62 - 1)")?.group == UInt64(1) << 62 - 1)
        for text in [
            "", "/", "1/", "/1", "-1", "+1", "1/2/3", "a", "1 ", "4611686018427387904", "1/99999999999999999999",
        ] {
            #expect(LocationArgument(argument: text) == nil, "\(text)")
        }
    }
}
