// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import MoQWire
import TestSupport
import Testing

@testable import MoQCommand

/// `moq status`, `moq probe` and `moq namespaces`, between real processes on loopback.
@Suite("Questions from the command line", .timeLimit(.minutes(2)))
struct QueryCommandTests {
    private static func parse(_ line: some StringProtocol) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }

    // MARK: Status

    @Test("The status of a track says how far it is", arguments: [18, 16, 14])
    func status(draft: Int) async throws {
        let relay = try await RunningRelay()
        let common = [relay.url, "--fingerprint", relay.fingerprint, "--drafts", "\(draft)"]
        let track = ["-n", "test/news", "-t", "lines"]
        let publisher = try ChildProcess(["pub"] + common + track + ["-i", "-", "--lines", "--group-size", "2"])
        try await relay.untilNamespaces(1)
        // The publisher answers, through the relay, as long as nobody is subscribed.
        let idle = try await ChildProcess(["status"] + common + track, input: Data()).ending()
        #expect(idle.status == 0, "\(idle.complaints)")
        #expect(idle.output == "draft    \(draft)\nlargest  none\nexpires  not said\n")
        #expect(idle.complaints.isEmpty)
        let viewer = try ChildProcess(["sub"] + common + track + ["--wait", "20"])
        try publisher.write("one\ntwo\nthree\nfour\nfive\n")
        _ = try await viewer.outputBytes(atLeast: 24)
        let busy = try await ChildProcess(["status"] + common + track, input: Data()).ending()
        #expect(busy.output.split(separator: "\n")[1] == "largest  2/0")
        let json = try await ChildProcess(["status"] + common + track + ["--json"], input: Data()).ending()
        #expect(json.status == 0)
        let object = try Self.parse(json.output)
        #expect(object["draft"] as? Int == draft)
        #expect(object["largest_location"] as? [String: Int] == ["group": 2, "object": 0])
        #expect(object["expires"] == nil)
        publisher.endInput(Data())
        #expect(try await viewer.ending().status == 0)
        #expect(try await publisher.ending().status == 0)
        try await relay.stop()
    }

    @Test("A track that cannot be had is told with the draft's code", arguments: [18, 16, 14])
    func noTrack(draft: Int) async throws {
        let relay = try await RunningRelay()
        let line = ["status", relay.url, "--insecure", "--drafts", "\(draft)", "-n", "no/such", "-t", "thing"]
        let text = try await ChildProcess(line, input: Data()).ending()
        #expect(text.status == 1)
        #expect(text.output.isEmpty)
        let (name, code) = draft == 14 ? ("TRACK_DOES_NOT_EXIST", 4) : ("DOES_NOT_EXIST", 16)
        let label = "\(name) (0x\(String(code, radix: 16))): "
        #expect(text.complaints.hasPrefix("moq: track 'no/such/thing': \(label)"), "\(text.complaints)")
        #expect(text.complaintLines.count == 1)
        let json = try await ChildProcess(line + ["--json"], input: Data()).ending()
        #expect(json.status == 1)
        let object = try Self.parse(json.output)
        #expect(object["error"] as? String == name)
        #expect(object["code"] as? Int == code)
        #expect(object["draft"] as? Int == draft)
        #expect((object["reason"] as? String)?.isEmpty == false)
        #expect(json.complaints == text.complaints)
        try await relay.stop()
    }

    // MARK: Probe

    @Test("A probe says which drafts a relay speaks")
    func probe() async throws {
        let relay = try await RunningRelay("--drafts", "18")
        let common = ["probe", relay.url, "--fingerprint", relay.fingerprint]
        let text = try await ChildProcess(common + ["--drafts", "16,18"], input: Data()).ending()
        #expect(text.status == 0, "\(text.complaints)")
        let lines = text.output.split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines.first == "16  no   no common draft")
        let spoken = lines.last?.split(separator: " ") ?? []
        #expect(spoken.count == 5)
        #expect(spoken.prefix(2) == ["18", "yes"])
        #expect(spoken.suffix(2) == ["ms", "moqingbird"])
        #expect(text.complaints.isEmpty)
        // Without --drafts it is about all that there are.
        let json = try await ChildProcess(common + ["--json"], input: Data()).ending()
        #expect(json.status == 0)
        let objects = try json.output.split(separator: "\n").map { try Self.parse($0) }
        #expect(objects.map { $0["draft"] as? Int } == DraftProfile.all.map(\.version.number))
        #expect(objects.map { $0["spoken"] as? Bool } == DraftProfile.all.map { $0.version == .draft18 })
        let first = try #require(objects.first)
        #expect((first["setup_us"] as? Int ?? 0) > 0)
        #expect(first["implementation"] as? String == "moqingbird")
        #expect(objects.last?["reason"] as? String == "no common draft")
        try await relay.stop()
    }

    @Test("A relay that speaks none of the drafts is a failure")
    func noDraft() async throws {
        let relay = try await RunningRelay("--drafts", "18")
        let ending = try await ChildProcess(["probe", relay.url, "--insecure", "--drafts", "16"], input: Data())
            .ending()
        #expect(ending.status == 1)
        #expect(ending.output == "16  no   no common draft\n")
        #expect(ending.complaints == "moq: \(relay.authority) speaks none of the drafts 16\n")
        try await relay.stop()
    }

    // MARK: Namespaces

    @Test("Namespaces appear and go, each with a line, and Ctrl-C ends it in order", arguments: [18, 16, 14])
    func namespaces(draft: Int) async throws {
        let relay = try await RunningRelay()
        let trust = [relay.url, "--fingerprint", relay.fingerprint, "--drafts", "\(draft)"]
        func publish(_ namespace: String) throws -> ChildProcess {
            try ChildProcess(["clock"] + trust + ["-n", namespace, "-t", "clock"])
        }
        let early = try publish("demo/early")
        try await relay.untilNamespaces(1)
        let watcher = try ChildProcess(["namespaces", relay.url, "demo"] + trust.dropFirst())
        let json = try ChildProcess(["namespaces", relay.url, "demo", "--json"] + trust.dropFirst())
        #expect(try await watcher.outputLine(after: "+ ") == "demo/early")
        _ = try await json.outputLine(after: "{")
        let late = try publish("demo/late/er")
        let elsewhere = try publish("other")
        #expect(try await watcher.outputLine(after: "+ demo/late") == "/er")
        try await relay.untilNamespaces(3)
        early.send(SIGINT)
        _ = try await early.ending()
        #expect(try await watcher.outputLine(after: "- ") == "demo/early")
        _ = try await json.outputLine(after: #"{"event":"withdrawn""#)
        for process in [watcher, json] {
            process.send(SIGINT)
        }
        let ending = try await watcher.ending()
        #expect(ending.status == 130)
        #expect(ending.complaints.isEmpty)
        #expect(ending.output == "+ demo/early\n+ demo/late/er\n- demo/early\n")
        let objects = try await json.ending().output.split(separator: "\n").map { try Self.parse($0) }
        #expect(objects.map { $0["event"] as? String } == ["published", "published", "withdrawn"])
        #expect(
            objects.map { $0["track_namespace"] as? [String] }
                == [["demo", "early"], ["demo", "late", "er"], ["demo", "early"]]
        )
        for process in [late, elsewhere] {
            process.send(SIGINT)
            _ = try await process.ending()
        }
        // The relay has let go of everything.
        let counters = try await relay.untilNamespaces(0)
        #expect(counters["requests"] == "0")
        try await relay.stop()
    }

    @Test("Without a prefix it is about everything, and it can end by itself", arguments: [18, 16])
    func everything(draft: Int) async throws {
        let relay = try await RunningRelay()
        let trust = [relay.url, "--insecure", "--drafts", "\(draft)"]
        let clock = try ChildProcess(["clock"] + trust + ["-n", "a", "-t", "clock"])
        try await relay.untilNamespaces(1)
        let ending = try await ChildProcess(["namespaces"] + trust + ["--duration", "0.3"], input: Data()).ending()
        #expect(ending.status == 0, "\(ending.complaints)")
        #expect(ending.output == "+ a\n")
        clock.send(SIGINT)
        _ = try await clock.ending()
        try await relay.stop()
    }

    @Test("Who watches learns that the relay is gone")
    func relayLeaves() async throws {
        let relay = try await RunningRelay("--drain-timeout", "0.1")
        let clock = try ChildProcess(["clock", relay.url, "--insecure", "-n", "a", "-t", "clock"])
        let watcher = try ChildProcess(["namespaces", relay.url, "--insecure"])
        _ = try await watcher.outputLine(after: "+ a")
        try await relay.stop()
        #expect(try await clock.ending().status == 1)
        let ending = try await watcher.ending()
        #expect(ending.status == 1)
        #expect(ending.complaintLines.count == 1, "\(ending.complaints)")
        #expect(ending.complaints.contains("connection lost"))
    }

    @Test("What a peer sent stays in its place in a line")
    func plainText() {
        let namespace = TrackNamespace(fields: [
            Array("a/b".utf8), Array("50%".utf8), Array("züri\n".utf8), [0xFF, 0x41, 0x20],
            Array("\u{85}\u{2028}".utf8),
        ])
        #expect(namespace.pathText == "a%2fb/50%25/züri%0a/%ffA%20/%c2%85%e2%80%a8")
        #expect(PlainText.escaped(Array("moq/1 \u{1B}[31m".utf8)) == "moq/1 %1b[31m")
    }
}

extension RunningRelay {
    /// Asks for the counters until there are this many namespaces, for ten seconds at most, and returns the last.
    @discardableResult
    func untilNamespaces(
        _ count: Int,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> [String: String] {
        let deadline = ContinuousClock.now.advanced(by: .seconds(10))
        while true {
            let counters = try await self.nextCounters()
            if counters["namespaces"] == "\(count)" {
                return counters
            }
            guard ContinuousClock.now < deadline else {
                Issue.record("the relay has \(counters), not \(count) namespaces", sourceLocation: sourceLocation)
                return counters
            }
        }
    }
}
