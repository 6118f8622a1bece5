// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import Testing

@testable import MoQCommand

/// The figures that commands print.
@Suite("Figures", .timeLimit(.minutes(2)))
struct StatisticsTests {
    private typealias Figures = [String: [String: Double]]

    private static let track = ["-n", "test", "-t", "figures"]

    /// Reads the last line of a process's complaints that is a JSON object of figures.
    private static func lastFigures(_ ending: ChildProcess.Ending) throws -> Figures {
        let line = try #require(ending.complaintLines.last { $0.hasPrefix("{") }, "\(ending.complaints)")
        return try self.parse(String(line))
    }

    private static func parse(_ line: String) throws -> Figures {
        try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? Figures, "\(line)")
    }

    /// Whether what a process printed when everything was closed agrees with itself, and nothing is left.
    private static func expectNothingLeft(
        _ figures: Figures,
        _ who: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        for (subject, names) in [
            "connections": ["live"], "sessions": ["live"], "streams": ["live"], "stream_bytes": ["queued", "buffered"],
            "datagrams": ["queued"], "waits": ["live"], "requests": ["live", "subscriptions", "publications"],
            "subgroups": ["live_out", "live_in", "held"], "jobs": ["queued"], "timers": ["live"],
            "relay_live": ["sessions", "namespaces", "tracks", "upstreams", "subscribers", "pending", "subgroups"],
        ] {
            guard let found = figures[subject] else {
                #expect(subject == "relay_live", "\(who): \(subject)", sourceLocation: sourceLocation)
                continue
            }
            for name in names {
                #expect(found[name] == 0, "\(who): \(subject) \(name)", sourceLocation: sourceLocation)
            }
        }
        func figure(_ subject: String, _ name: String) throws -> Double {
            try #require(figures[subject]?[name], "\(who): \(subject) \(name)", sourceLocation: sourceLocation)
        }
        for subject in ["connections", "sessions"] {
            let created = try figure(subject, "created")
            #expect(try created - figure(subject, "ended") == 0, "\(who)", sourceLocation: sourceLocation)
            #expect(created > 0, "\(who)", sourceLocation: sourceLocation)
        }
        let (opened, accepted) = (try figure("streams", "opened"), try figure("streams", "accepted"))
        #expect(try opened + accepted == figure("streams", "retired"), "\(who)", sourceLocation: sourceLocation)
        #expect(try figure("waits", "begun") == figure("waits", "ended"), "\(who)", sourceLocation: sourceLocation)
        let (taken, dropped) = (try figure("stream_bytes", "taken"), try figure("stream_bytes", "dropped"))
        #expect(try taken + dropped == figure("stream_bytes", "written"), "\(who)", sourceLocation: sourceLocation)
        #expect(
            try figure("stream_bytes", "received") == figure("stream_bytes", "consumed"),
            "\(who)",
            sourceLocation: sourceLocation
        )
        for (subject, name) in [
            ("packets", "sent"), ("packets", "received"), ("bytes", "sent"), ("bytes", "received"),
            ("path", "rtt_ms"), ("path", "rtt_min_ms"), ("messages", "sent"), ("messages", "received"),
            ("jobs", "run"), ("memory", "resident_kib"),
        ] {
            #expect(try figure(subject, name) > 0, "\(who): \(subject) \(name)", sourceLocation: sourceLocation)
        }
    }

    @Test(
        "What relay, publisher and subscriber print in the end adds up, and nothing is left",
        arguments: [18, 16, 14]
    )
    func transfer(draft: Int) async throws {
        try await TemporaryDirectory.use { directory in
            let (source, copy) = (directory + "/source", directory + "/copy")
            let size = 1_000_000
            try Data(repeating: 7, count: size).write(to: URL(fileURLWithPath: source))
            let figures = ["--stats", "--stats-format", "json"]
            let relay = try await RunningRelay("--drafts", "\(draft)", "--stats", "--stats-format", "json")
            let common = [relay.url, "--fingerprint", relay.fingerprint, "--drafts", "\(draft)"] + Self.track + figures
            let subscriber = try ChildProcess(["sub"] + common + ["--output", copy, "--wait", "20"])
            let publisher = try ChildProcess(["pub"] + common + ["--input", source])
            let received = try await subscriber.ending(within: 60)
            let sent = try await publisher.ending(within: 20)
            #expect(received.status == 0, "\(received.complaints)")
            #expect(sent.status == 0, "\(sent.complaints)")
            relay.process.send(SIGTERM)
            let relayed = try await relay.process.ending(within: 20)
            #expect(relayed.status == 0)

            let (pub, sub) = (try Self.lastFigures(sent), try Self.lastFigures(received))
            let hub = try Self.lastFigures(relayed)
            try Self.expectNothingLeft(pub, "pub")
            try Self.expectNothingLeft(sub, "sub")
            try Self.expectNothingLeft(hub, "relay")
            #expect(sub["track"]?["bytes"] == Double(size))
            #expect(sub["objects"]?["bytes_received"] == Double(size))
            #expect(pub["objects"]?["bytes_sent"] == Double(size))
            #expect(hub["relay_objects"]?["bytes_in"] == Double(size))
            #expect(hub["relay_objects"]?["bytes_out"] == Double(size))
            #expect(hub["objects"]?["bytes_received"] == Double(size))
            #expect(hub["objects"]?["sent"] == pub["objects"]?["sent"])
            #expect(hub["sessions"]?["created"] == 2)
            // What the ends' transports saw is what the relay's saw, over both its sessions.
            let ends = (pub["stream_bytes"]?["taken"] ?? 0) + (sub["stream_bytes"]?["taken"] ?? 0)
            #expect(hub["stream_bytes"]?["received"] == ends)
        }
    }

    @Test("SIGUSR1 makes every command say how it stands, and an interval does so by itself")
    func whileRunning() async throws {
        let relay = try await RunningRelay("--stats", "--stats-interval", "0.2")
        let common = [relay.url, "--fingerprint", relay.fingerprint] + Self.track
        let clock = try ChildProcess(["clock"] + common + ["--interval", "0.05", "--stats-format", "json"])
        let subscriber = try ChildProcess(["sub"] + common + ["--wait", "20"])
        _ = try await subscriber.outputBytes(atLeast: 50)
        subscriber.send(SIGUSR1)
        _ = try await subscriber.complaintLine(after: "objects  ")
        let connections = try await subscriber.complaintLine(after: "connections ")
        #expect(connections.trimmingCharacters(in: .whitespaces) == "live 1  created 1  ended 0")
        _ = try await subscriber.complaintLine(after: "memory ")
        clock.send(SIGUSR1)
        let line = try await clock.complaintLine(after: "{")
        let figures = try Self.parse("{" + line)
        #expect(figures["sessions"]?["live"] == 1)
        #expect(figures["requests"]?["publications"] == 1)
        #expect((figures["objects"]?["sent"] ?? 0) > 0)
        #expect((figures["path"]?["window"] ?? 0) > 0)
        // Nobody asked the relay.
        let live = try await relay.process.complaintLine(after: "relay_live ", skipping: 1)
        #expect(live.contains("sessions "))
        let summary = try await relay.process.complaintLine(after: "stats ", skipping: 1)
        #expect(summary.contains("connections="))
        for process in [subscriber, clock] {
            process.send(SIGINT)
            #expect(try await process.ending().status == 130)
        }
        relay.process.send(SIGTERM)
        let ending = try await relay.process.ending(within: 20)
        #expect(ending.status == 0)
        #expect(ending.complaintLines.last?.hasPrefix("relay_refused ") == true)
    }

    @Test("A report has the same figures for people and for programs")
    func report() throws {
        var report = StatisticsReport()
        report.summary = "bytes    5\n"
        report.add("track", isInSummary: true, ["bytes": .of(5)])
        report.add("streams", ["live": .of(1), "opened": .of(UInt64.max)])
        report.add("path", ["rtt_ms": .decimal(0.25), "odd": .of(-3)])
        #expect(
            report.text == """
                bytes    5
                streams        live 1  opened 18446744073709551615
                path           rtt_ms 0.250  odd 0

                """
        )
        #expect(
            report.json == """
                {"track":{"bytes":5},"streams":{"live":1,"opened":18446744073709551615},"path":{"rtt_ms":0.250,"odd":0}}

                """
        )
        #expect(try JSONSerialization.jsonObject(with: Data(report.json.utf8)) is [String: [String: NSNumber]])
    }
}
