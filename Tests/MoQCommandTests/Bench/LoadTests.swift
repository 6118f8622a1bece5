// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import TestSupport
import Testing

@testable import MoQCommand

/// Small loads, directly and through a relay: what has to hold whatever the machine.
@Suite("Loads", .timeLimit(.minutes(TestBuild.minutes(2))))
struct LoadTests {
    private static let short = ["--duration", "0.3", "--warm-up", "0.1", "--json"]

    private static func json(_ arguments: [String], timed: Bool = true) async throws -> [String: Any] {
        let all = ["bench"] + arguments + (timed ? self.short : ["--json"])
        let ending = try await ChildProcess(all, input: Data()).ending(within: 60)
        #expect(ending.status == 0, "\(ending.complaints)")
        let object = try JSONSerialization.jsonObject(with: Data(ending.output.utf8))
        return try #require(object as? [String: Any])
    }

    /// Everything that was sent arrived, once and as it was.
    private static func check(_ json: [String: Any], subscribers: Int = 1) throws {
        let objects = try #require(json["objects"] as? [String: Int])
        let sent = try #require(objects["sent"])
        #expect(sent > 0)
        #expect(objects["delivered"] == sent * subscribers)
        for name in ["lost", "duplicated", "corrupt", "too_old", "subscribers_lost"] {
            #expect(objects[name] == 0, "\(name)")
        }
        let latency = try #require(json["latency_us"] as? [String: Double])
        #expect(latency["count"] == Double(sent * subscribers))
        #expect((latency["min"] ?? 0) > 0)
    }

    @Test("Everything is delivered once through a relay, whose process is looked at")
    func throughRelay() async throws {
        let relay = try await RunningRelay()
        let common = [relay.url, "--fingerprint", relay.fingerprint]
        let pid = ["--relay-pid", "\(relay.process.identifier)"]
        let throughput = try await Self.json(["throughput"] + common + pid)
        try Self.check(throughput)
        #expect((throughput["relay"] as? [String: Any])?["pid"] as? Int == Int(relay.process.identifier))
        #expect(((throughput["relay"] as? [String: Any])?["resident_bytes"] as? Int ?? 0) > 1 << 20)
        let latency = try await Self.json(
            ["latency", "--rate", "200", "--group-size", "7", "--subgroups", "3"] + common
        )
        try Self.check(latency)
        #expect((latency["objects"] as? [String: Int])?["sent"] == 60)
        #expect((latency["objects"] as? [String: Int])?["unsent"] == 0)
        let fanout = try await Self.json(["fanout", "--subscribers", "5", "--ramp", "100"] + common)
        try Self.check(fanout, subscribers: 5)
        #expect((fanout["objects"] as? [String: Int])?["sent"] == 9)
        #expect(fanout["url"] as? String == relay.url + "/")
        try await relay.stop()
    }

    @Test(
        "Everything is delivered once without a relay",
        arguments: [
            ["throughput", "--size", "24", "--group-size", "1"],
            ["throughput", "--size", "70000", "--draft", "14"],
            ["throughput", "--size", "1000", "--bare"],
            ["latency", "--rate", "100", "--drafts", "16"],
            ["latency", "--rate", "100", "--cc", "bbr1:Q0.05", "--no-ack-frequency"],
            ["fanout", "--subscribers", "3", "--size", "1100", "--datagrams", "--rate", "50"],
        ]
    )
    func directly(arguments: [String]) async throws {
        let json = try await Self.json(arguments)
        try Self.check(json, subscribers: arguments[0] == "fanout" ? 3 : 1)
        #expect(json["url"] is NSNull)
    }

    @Test("With a track for each subscriber, each gets the objects of its own, which are due one after the other")
    func spread() async throws {
        let relay = try await RunningRelay()
        let json = try await Self.json(
            ["fanout", relay.url, "--fingerprint", relay.fingerprint, "--subscribers", "4", "--spread", "--rate", "50"]
                + ["--group-size", "3"]
        )
        try Self.check(json)
        #expect(json["tracks"] as? Int == 4)
        // Four tracks for 0.3 s.
        #expect((json["objects"] as? [String: Int])?["sent"] == 60)
        let counters = try await relay.untilSessions(0)
        #expect(counters["tracks"] == "0")
        try await relay.stop()
    }

    #if os(Linux)
    @Test("Publisher and subscriber can have different packet loops")
    func differentLoops() async throws {
        let json = try await Self.json(["throughput", "--loop", "epoll", "--subscriber-loop", "picoquic"])
        try Self.check(json)
        #expect(json["loop"] as? String == "epoll")
        #expect(json["subscriber_loop"] as? String == "picoquic")
    }
    #endif

    @Test("A load that is interrupted says what was measured so far")
    func interrupted() async throws {
        let load = try ChildProcess(
            ["bench", "latency", "--duration", "60", "--warm-up", "0", "--json"],
            input: Data()
        )
        _ = try await load.complaintLine(after: "bench: ", within: 10 * TestBuild.patience)
        // Whatever has been sent by then arrives.
        load.send(SIGINT)
        let ending = try await load.ending(within: 20 * TestBuild.patience)
        #expect(ending.status == 130)
        let object = try JSONSerialization.jsonObject(with: Data(ending.output.utf8))
        let json = try #require(object as? [String: Any])
        #expect(json["interrupted"] as? Bool == true)
        let objects = try #require(json["objects"] as? [String: Int])
        #expect(objects["delivered"] == objects["sent"])
        #expect(objects["lost"] == 0)
        #expect(objects["unsent"] == 0)
    }

    @Test("A relay that goes away ends the load, with what was measured so far and the reason")
    func relayLost() async throws {
        let relay = try await RunningRelay("--drain-timeout", "0.1")
        let load = try ChildProcess(
            ["bench", "latency", relay.url, "--fingerprint", relay.fingerprint, "--duration", "60", "--json"],
            input: Data()
        )
        _ = try await load.complaintLine(after: "bench: ", within: 10 * TestBuild.patience)
        try await relay.stop()
        let ending = try await load.ending(within: 20 * TestBuild.patience)
        #expect(ending.status == 1)
        #expect(ending.complaints.contains("moq: "), "\(ending.complaints)")
        let object = try JSONSerialization.jsonObject(with: Data(ending.output.utf8))
        #expect((object as? [String: Any])?["interrupted"] as? Bool == false)
    }

    @Test("Those who read get everything while others do not read, and both loads are reported")
    func slow() async throws {
        let json = try await Self.json(["slow", "--subscribers", "4", "--share", "0.25", "--rate", "100"])
        #expect(json["slow_subscribers"] as? Int == 1)
        #expect((json["p99_ratio"] as? Double ?? 0) > 0)
        try Self.check(#require(json["without"] as? [String: Any]), subscribers: 4)
        try Self.check(#require(json["with"] as? [String: Any]), subscribers: 3)
    }

    @Test("When the second load cannot begin, the first one is told all the same", arguments: [true, false])
    func slowEndedEarly(bySignal: Bool) async throws {
        let relay = try await RunningRelay("--drain-timeout", "0.1")
        let load = try ChildProcess(
            ["bench", "slow", relay.url, "--fingerprint", relay.fingerprint, "--subscribers", "20", "--share", "0.25"]
                + ["--ramp", "10", "--rate", "100"] + Self.short,
            input: Data()
        )
        let connecting = "bench: connecting 20 subscribers, of whom 5 will not read"
        _ = try await load.complaintLine(after: connecting, within: 20 * TestBuild.patience)
        if bySignal {
            load.send(SIGINT)
        } else {
            try await relay.stop()
        }
        let ending = try await load.ending(within: 20 * TestBuild.patience)
        #expect(ending.status == (bySignal ? 130 : 1), "\(ending.complaints)")
        let object = try JSONSerialization.jsonObject(with: Data(ending.output.utf8))
        let json = try #require(object as? [String: Any])
        try Self.check(#require(json["without"] as? [String: Any]), subscribers: 20)
        #expect(json["with"] is NSNull)
        if bySignal {
            try await relay.stop()
        }
    }

    @Test("Visits end with their relay, which is told")
    func churnLost() async throws {
        let relay = try await RunningRelay("--drain-timeout", "0.1")
        let churn = try ChildProcess(
            ["bench", "churn", relay.url, "--fingerprint", relay.fingerprint, "--cycles", "20000", "--json"],
            input: Data()
        )
        _ = try await churn.complaintLine(after: "churn: 2000 of 20000", within: 30 * TestBuild.patience)
        try await relay.stop()
        let ending = try await churn.ending(within: 20 * TestBuild.patience)
        #expect(ending.status == 1)
        #expect(ending.complaints.contains("session closed"), "\(ending.complaints)")
        let object = try JSONSerialization.jsonObject(with: Data(ending.output.utf8))
        let cycles = try #require((object as? [String: Any])?["cycles"] as? Int)
        #expect(cycles >= 2_000 && cycles < 20_000)
    }

    @Test("Visits and their subscriptions are counted, and nothing of them is left at the relay")
    func churn() async throws {
        let relay = try await RunningRelay()
        let json = try await Self.json(
            ["churn", relay.url, "--fingerprint", relay.fingerprint, "--cycles", "20", "--subscriptions", "3"]
                + ["--relay-pid", "\(relay.process.identifier)"],
            timed: false
        )
        #expect(json["cycles"] as? Int == 20)
        #expect(json["failures"] as? Int == 0)
        for (name, count) in [("visit_us", 20), ("setup_us", 20), ("subscribe_us", 60)] {
            #expect((json[name] as? [String: Double])?["count"] == Double(count), "\(name)")
        }
        #expect((json["sessions_per_second"] as? Double ?? 0) > 0)
        #expect((json["relay_cpu_seconds"] as? Double ?? -1) >= 0)
        let counters = try await relay.untilSessions(0)
        #expect(counters["subscriptions"] == "0")
        // The publisher came too.
        #expect(counters["total-sessions"] == "21")
        try await relay.stop()
    }

    #if os(Linux)
    @Test("Idle sessions and subscriptions are weighed, and none is left at the relay")
    func idle() async throws {
        let relay = try await RunningRelay()
        let json = try await Self.json(
            ["idle", relay.url, "--fingerprint", relay.fingerprint, "--sessions", "20"]
                + ["--relay-pid", "\(relay.process.identifier)"],
            timed: false
        )
        #expect(json["sessions"] as? Int == 20)
        #expect((json["resident_before_bytes"] as? Int ?? 0) > 1 << 20)
        #expect(json["bytes_per_session"] is Double)
        #expect(json["bytes_per_subscription"] is Double)
        let bare = try await Self.json(
            ["idle", relay.url, "--fingerprint", relay.fingerprint, "--sessions", "5", "--alpn", "moqt-18"]
                + ["--relay-pid", "\(relay.process.identifier)"],
            timed: false
        )
        #expect(bare["sessions"] as? Int == 5)
        #expect(bare["application_protocol"] as? String == "moqt-18")
        #expect(bare["bytes_per_session"] is Double)
        #expect(bare["bytes_per_subscription"] is NSNull)
        try await relay.untilSessions(0)
        try await relay.stop()
    }
    #endif
}
