// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import TestSupport
import Testing

@testable import MoQCommand

/// Whole transfers between real processes on loopback.
@Suite("Transfers", .timeLimit(.minutes(3)))
struct TransferTests {
    private static func randomData(count: Int, seed: UInt64) -> Data {
        var state = seed
        var bytes = [UInt8](repeating: 0, count: count)
        for position in bytes.indices {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            bytes[position] = UInt8(truncatingIfNeeded: state >> 40)
        }
        return Data(bytes)
    }

    private static let track = ["-n", "test/files", "-t", "one"]

    /// Publishes `data` through a relay and returns what a subscriber wrote.
    private func transfer(_ data: Data, draft: Int, publisher options: [String] = []) async throws -> Data? {
        try await TemporaryDirectory.use { directory in
            let (source, copy) = (directory + "/source", directory + "/copy")
            try data.write(to: URL(fileURLWithPath: source))
            let relay = try await RunningRelay("--drafts", "\(draft)")
            let common = [relay.url, "--fingerprint", relay.fingerprint, "--drafts", "\(draft)"] + Self.track
            let subscriber = try ChildProcess(["sub"] + common + ["--output", copy, "--wait", "20", "--stats"])
            let publisher = try ChildProcess(["pub"] + common + ["--input", source] + options)
            let received = try await subscriber.ending(within: 60)
            #expect(received.status == 0, "\(received.complaints)")
            #expect(received.complaints.contains("bytes    \(data.count)\n"))
            let sent = try await publisher.ending(within: 10)
            #expect(sent.status == 0, "\(sent.complaints)")
            #expect(sent.complaints.isEmpty)
            try await relay.stop()
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory).sorted() == ["copy", "source"])
            return FileManager.default.contents(atPath: copy)
        }
    }

    @Test("A file arrives through the relay byte for byte", arguments: [18, 16, 14])
    func file(draft: Int) async throws {
        let data = Self.randomData(count: 8_000_001, seed: UInt64(draft))
        #expect(try await self.transfer(data, draft: draft) == data)
    }

    @Test("A publisher on any draft reaches a subscriber on any other", arguments: [18, 16, 14])
    func acrossDrafts(publishing: Int) async throws {
        try await atOnce([18, 16, 14]) { subscribing in
            let data = Self.randomData(count: 500_003, seed: UInt64(publishing * 100 + subscribing))
            try await TemporaryDirectory.use { directory in
                let (source, copy) = (directory + "/source", directory + "/copy")
                try data.write(to: URL(fileURLWithPath: source))
                let relay = try await RunningRelay()
                let common = [relay.url, "--fingerprint", relay.fingerprint] + Self.track
                let subscriber = try ChildProcess(
                    ["sub"] + common + ["--drafts", "\(subscribing)", "--output", copy, "--wait", "20"]
                )
                let publisher = try ChildProcess(["pub"] + common + ["--drafts", "\(publishing)", "--input", source])
                let received = try await subscriber.ending(within: 60)
                #expect(received.status == 0, "\(received.complaints)")
                #expect(try await publisher.ending(within: 10).status == 0)
                #expect(FileManager.default.contents(atPath: copy) == data)
                try await relay.stop()
            }
        }
    }

    @Test(
        "However it is cut",
        arguments: [
            ["--object-size", "1000000", "--group-size", "1"], ["--object-size", "100", "--group-size", "3"],
            ["--lines"], ["--object-size", "5000", "--rate", "1000"],
        ]
    )
    func cut(options: [String]) async throws {
        let data = Self.randomData(count: 300_000, seed: 7)
        #expect(try await self.transfer(data, draft: 18, publisher: options) == data)
    }

    @Test("Datagrams arrive too", arguments: [18, 16, 14])
    func datagrams(draft: Int) async throws {
        let data = Self.randomData(count: 100_000, seed: 9)
        #expect(try await self.transfer(data, draft: draft, publisher: ["--datagrams"]) == data)
    }

    @Test("An empty file is a track without objects", arguments: [18, 16, 14])
    func empty(draft: Int) async throws {
        #expect(try await self.transfer(Data(), draft: draft) == Data())
    }

    @Test("A publisher that listens serves subscribers without a relay", arguments: [18, 16, 14])
    func direct(draft: Int) async throws {
        try await TemporaryDirectory.use { directory in
            let (source, copy) = (directory + "/source", directory + "/copy")
            let data = Self.randomData(count: 5_000_000, seed: 3)
            try data.write(to: URL(fileURLWithPath: source))
            let credentials = try TestCredentials(in: directory, name: "server")
            let publisher = try ChildProcess(
                ["pub", "--listen", "127.0.0.1:0", "--cert", credentials.certificate, "--key", credentials.key]
                    + ["--drafts", "\(draft)", "--input", source] + Self.track
            )
            let url = try await publisher.outputLine(after: "listening ")
            let subscriber = try ChildProcess(
                ["sub", url, "--ca", credentials.certificate, "--drafts", "14,16,18", "--output", copy] + Self.track
            )
            let received = try await subscriber.ending(within: 60)
            #expect(received.status == 0, "\(received.complaints)")
            #expect(try await publisher.ending(within: 10).status == 0)
            #expect(FileManager.default.contents(atPath: copy) == data)
        }
    }

    @Test("Lines typed at the publisher appear at the subscriber at once")
    func lines() async throws {
        let relay = try await RunningRelay()
        let common = [relay.url, "--fingerprint", relay.fingerprint] + Self.track
        let publisher = try ChildProcess(["pub"] + common + ["--input", "-", "--lines"])
        let subscriber = try ChildProcess(["sub"] + common + ["--wait", "20"])
        try publisher.write("first\n")
        #expect(try await subscriber.outputLine(after: "fir") == "st")
        try publisher.write("second\n")
        #expect(try await subscriber.outputLine(after: "sec") == "ond")
        publisher.endInput(Data("last".utf8))
        let ending = try await subscriber.ending()
        #expect(ending.status == 0, "\(ending.complaints)")
        #expect(ending.output == "first\nsecond\nlast")
        #expect(try await publisher.ending().status == 0)
        try await relay.stop()
    }

    @Test("The clock ticks, and the subscriber measures its latency")
    func clock() async throws {
        try await atOnce([18, 16, 14]) { draft in
            let relay = try await RunningRelay()
            let common = [relay.url, "--fingerprint", relay.fingerprint, "--drafts", "\(draft)"] + Self.track
            let clock = try ChildProcess(["clock"] + common + ["--interval", "0.1", "--duration", "3"])
            let subscriber = try ChildProcess(["sub"] + common + ["--wait", "20", "--duration", "1.5", "--stats"])
            let ending = try await subscriber.ending()
            #expect(ending.status == 0, "\(ending.complaints)")
            let ticks = ending.output.split(separator: "\n")
            #expect(ticks.count >= 8)
            #expect(ticks == ticks.sorted())
            let latency = try #require(ending.complaintLines.first { $0.hasPrefix("latency min/p50/max ms ") })
            #expect(latency.split(separator: "/").count == 5)
            let ended = try await clock.ending()
            #expect(ended.status == 0, "\(ended.complaints)")
            try await relay.stop()
        }
    }

    @Test("When the publisher leaves in the middle the subscriber fails, and leaves nothing")
    func publisherLeaves() async throws {
        try await TemporaryDirectory.use { directory in
            let relay = try await RunningRelay()
            let common = [relay.url, "--fingerprint", relay.fingerprint] + Self.track
            let publisher = try ChildProcess(["pub"] + common + ["--input", "/dev/zero", "--rate", "50"])
            let subscriber = try ChildProcess(["sub"] + common + ["--wait", "20", "--output", directory + "/copy"])
            #expect(await TemporaryDirectory.hasContent(directory), "objects arrive")
            publisher.send(SIGINT)
            #expect(try await publisher.ending().status == 130)
            let ending = try await subscriber.ending(within: 5)
            #expect(ending.status == 1)
            #expect(ending.complaintLines.count == 1, "\(ending.complaints)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory).isEmpty)
            try await relay.stop()
        }
    }

    @Test("Without verification a track arrives too, and the logs that were asked for are written")
    func logs() async throws {
        try await TemporaryDirectory.use { directory in
            let (qlogs, copy) = (directory + "/qlogs", directory + "/copy")
            try FileManager.default.createDirectory(atPath: qlogs, withIntermediateDirectories: false)
            try Data("something".utf8).write(to: URL(fileURLWithPath: directory + "/source"))
            let relay = try await RunningRelay("--keylog", directory + "/relay.keys", "--qlog-dir", qlogs)
            let common = [relay.url, "--insecure"] + Self.track
            let publisher = try ChildProcess(["pub"] + common + ["--input", directory + "/source"])
            let subscriber = try ChildProcess(
                ["sub"] + common + ["--wait", "20", "--output", copy, "--keylog", directory + "/sub.keys"]
            )
            let received = try await subscriber.ending()
            #expect(received.status == 0, "\(received.complaints)")
            #expect(try await publisher.ending().status == 0)
            try await relay.stop()
            #expect(FileManager.default.contents(atPath: copy) == Data("something".utf8))
            // The secrets of the subscriber's connection are in both logs: this is what decrypts a capture.
            func secrets(_ name: String) throws -> Set<Substring> {
                let text = try String(contentsOfFile: "\(directory)/\(name)", encoding: .utf8)
                return Set(text.split(separator: "\n").filter { $0.hasPrefix("CLIENT_TRAFFIC_SECRET_0 ") })
            }
            #expect(try secrets("sub.keys").count == 1)
            #expect(try secrets("relay.keys").count == 2)
            #expect(try secrets("sub.keys").isSubset(of: secrets("relay.keys")))
            let files = try FileManager.default.contentsOfDirectory(atPath: qlogs)
            #expect(files.count == 2)
            #expect(files.allSatisfy { $0.hasSuffix(".qlog") })
        }
    }

    @Test("The relay is asked to wait for a track where the draft can say so", arguments: [18, 16, 14])
    func waiting(draft: Int) async throws {
        let relay = try await RunningRelay("--stats", "--stats-format", "json")
        let line = ["sub", relay.url, "--insecure", "--drafts", "\(draft)", "--wait", "1"] + Self.track
        let ending = try await ChildProcess(line, input: Data()).ending()
        #expect(ending.status == 1)
        #expect(ending.complaints == "moq: track 'test/files/one' does not exist at the relay\n")
        #expect(ending.seconds >= 1)
        relay.process.send(SIGTERM)
        let last = try #require(try await relay.process.ending().complaintLines.last)
        let parsed = try JSONSerialization.jsonObject(with: Data(last.utf8))
        let refused = try #require((parsed as? [String: [String: Double]])?["relay_refused"])
        // Between the end of the relay's wait and that of the subscriber's there may be time for one more question.
        #expect(refused["rendezvous"] == (draft == 18 ? 1 : 0))
        #expect((refused["not_found"] ?? 0) <= (draft == 18 ? 1 : 10))
        #expect((refused["not_found"] ?? 0) >= (draft == 18 ? 0 : 2))
    }

    @Test("A subscriber whose output cannot be written fails with one line")
    func outputFull() async throws {
        let relay = try await RunningRelay()
        let common = [relay.url, "--fingerprint", relay.fingerprint] + Self.track
        let publisher = try ChildProcess(["pub"] + common + ["--input", "/dev/zero"])
        let subscriber = try ChildProcess(["sub"] + common + ["--wait", "20", "--output", "/dev/full"])
        let ending = try await subscriber.ending()
        #expect(ending.status == 1)
        #expect(ending.complaints == "moq: --output '/dev/full': no space left on device\n")
        publisher.send(SIGINT)
        #expect(try await publisher.ending().status == 130)
        try await relay.stop()
    }
}
