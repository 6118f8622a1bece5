// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import TestSupport
import Testing

@testable import MoQCommand

/// The measurements, made small: what has to hold whatever the machine.
@Suite("Measurements", .timeLimit(.minutes(3)))
struct BenchTests {
    /// The figures of a line such as `reader  held 5  bytes 7`.
    private static func figures(_ text: String) -> [String: Double] {
        let words = text.split(separator: " ").map(String.init)
        var figures: [String: Double] = [:]
        for (name, value) in zip(words, words.dropFirst()) {
            if let number = Double(value) { figures[name] = number }
        }
        return figures
    }

    @Test("A writer stops at the window of a process that does not read, and everything arrives afterwards")
    func slowReader() async throws {
        let size = ["--streams", "12", "--megabytes", "24"]
        let reader = try ChildProcess(
            ["bench", "slow-reader", "--listen", "127.0.0.1:0", "--self-signed", "--seconds", "2"] + size,
            input: Data()
        )
        let fingerprint = try await reader.outputLine(after: "fingerprint sha-256 ")
        let url = try await reader.outputLine(after: "listening ")
        let writer = try await ChildProcess(
            ["bench", "slow-reader", url, "--fingerprint", fingerprint] + size,
            input: Data()
        ).ending(within: 60)
        #expect(writer.status == 0, "\(writer.complaints)")
        let read = try await reader.ending(within: 20)
        #expect(read.status == 0, "\(read.complaints)")
        let sent = Self.figures(writer.output)
        let line = try #require(read.output.split(separator: "\n").last { $0.hasPrefix("reader") })
        let kept = Self.figures(String(line))
        let window = try #require(kept["window"])
        // Every stream has a window of its own, an eighth of the session's; twelve of them exceed it.
        #expect(kept["held"] == window)
        #expect(sent["sent_while_paused"] == window)
        #expect((sent["queued_while_paused"] ?? 0) > 0)
        #expect(sent["bytes"] == 24_000_000)
        #expect(kept["bytes"] == 24_000_000)
    }

    @Test("Streams of low priority arrive whole beside a blocked one of high priority")
    func blockedPriority() async throws {
        let ending = try await ChildProcess(
            ["bench", "blocked-priority", "--pairs", "2", "--megabytes", "10"],
            input: Data()
        ).ending(within: 90)
        #expect(ending.status == 0, "\(ending.complaints)")
        #expect(ending.output.split(separator: "\n").filter { $0.hasPrefix("pair ") }.count == 2)
        let line = try #require(ending.output.split(separator: "\n").last)
        #expect((Self.figures(String(line))["ratio"] ?? 0) > 0)
    }

    @Test("Every one of many clients knows within a second that the relay was stopped, and nothing is left")
    func farewell() async throws {
        let ending = try await ChildProcess(
            ["bench", "farewell", "--clients", "150", "--rounds", "2"],
            input: Data()
        ).ending(within: 120)
        #expect(ending.status == 0, "\(ending.complaints)")
        let rounds = ending.output.split(separator: "\n").filter { $0.hasPrefix("round ") }
        #expect(rounds.count == 2)
        for round in rounds {
            let figures = Self.figures(String(round))
            #expect(figures["clients"] == 150)
            #expect((figures["seconds"] ?? 99) < TestBuild.patience, "\(round)")
        }
    }

    @Test(
        "Objects are written and read on every draft, empty ones too, and the figures are there",
        arguments: [0, 100]
    )
    func wire(bytes: Int) async throws {
        let ending = try await ChildProcess(
            ["bench", "wire", "--objects", "20000", "--bytes", "\(bytes)", "--json"],
            input: Data()
        ).ending(within: 60)
        #expect(ending.status == 0, "\(ending.complaints)")
        let lines = ending.output.split(separator: "\n")
        #expect(lines.count == 3)
        for line in lines {
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
            let figures = try #require(object as? [String: Any])
            #expect(figures["objects"] as? Int == 20_000)
            #expect(figures["payload_bytes"] as? Int == bytes)
            #expect((figures["objects_per_second"] as? Int ?? 0) > 0)
        }
    }
}
