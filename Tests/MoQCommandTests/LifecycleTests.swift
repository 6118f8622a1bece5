// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import ArgumentParser
import Foundation
import TestSupport
import Testing

@testable import MoQCommand

/// Starting, stopping, signals and counters of the real program.
@Suite("Lifecycle", .timeLimit(.minutes(2)))
struct LifecycleTests {
    private static let track = ["-n", "test", "-t", "life"]

    @Test(
        "Help and version go to standard output",
        arguments: [
            "relay", "pub", "sub", "fetch", "clock", "status", "namespaces", "probe", "bench wake", "bench timers",
            "bench churn", "bench slow-reader",
            "bench blocked-priority", "bench farewell",
        ]
    )
    func help(command: String) async throws {
        let words = command.split(separator: " ").map(String.init)
        let ending = try await ChildProcess(words + ["--help"], input: Data()).ending()
        #expect(ending.status == 0)
        #expect(ending.complaints.isEmpty)
        #expect(ending.output.contains("USAGE: moq \(command)"))
        #expect(ending.output.contains("  moq "), "an example")
        let version = try await ChildProcess(["--version"], input: Data()).ending()
        #expect(version.status == 0)
        #expect(version.output == RootCommand.version + "\n")
    }

    @Test("The relay leaves in order on SIGTERM and on SIGINT", arguments: [SIGTERM, SIGINT])
    func stop(signal: Int32) async throws {
        let relay = try await RunningRelay()
        #expect(relay.fingerprint.count == 64)
        #expect(relay.fingerprint.allSatisfy { $0.isHexDigit && !$0.isUppercase })
        relay.process.send(signal)
        let ending = try await relay.process.ending(within: 10)
        #expect(ending.status == 0)
        #expect(ending.complaints.isEmpty)
        #expect(ending.output == "fingerprint sha-256 \(relay.fingerprint)\nlistening \(relay.url)\n")
        #expect(relay.url.hasPrefix("moqt://127.0.0.1:"))
        #expect(!relay.url.hasSuffix(":0"))
    }

    @Test("A command whose network fails while it serves ends with status 1 and says so")
    func networkFailure() async throws {
        // In this process, because nothing breaks the sockets of another one.
        let port = try freePort()
        let command = try RelayCommand.parse(["--listen", "127.0.0.1:\(port)", "--self-signed"])
        let settings = try ServerSettings(
            connection: command.connection,
            identity: command.identity,
            address: command.listen
        )
        let server = try await ServerEndpoint.start(settings) { _ in
        } accept: { _, _, _ in
            nil
        }
        let outcome = Outcome<Void>()
        server.onFailure { outcome.fail($0) }
        #expect(breakSockets(boundTo: port) > 0)
        let failure = await #expect(throws: CommandFailure.self) { try await outcome.value() }
        #expect(failure?.exitStatus == 1)
        #expect(failure?.message == "the network thread of 'moq-server' has failed")
        await server.stop()
    }

    @Test("A second signal ends a relay that waits for its peers at once")
    func secondSignal() async throws {
        let relay = try await RunningRelay("--drain-timeout", "60")
        let common = [relay.url, "--fingerprint", relay.fingerprint] + Self.track
        let clock = try ChildProcess(["clock"] + common + ["--interval", "0.05"])
        let subscriber = try ChildProcess(["sub"] + common + ["--wait", "20"])
        _ = try await subscriber.outputBytes(atLeast: 25)
        // Two different signals: of one kind, the system keeps only one that waits.
        relay.process.send(SIGTERM)
        relay.process.send(SIGINT)
        let ending = try await relay.process.ending(within: 10)
        #expect([130, 143].contains(ending.status))
        for process in [clock, subscriber] {
            process.send(SIGINT)
            process.send(SIGTERM)
            _ = try await process.ending()
        }
    }

    @Test("Peers see the relay leave within the drain timeout")
    func drain() async throws {
        let relay = try await RunningRelay("--drain-timeout", "1")
        let common = [relay.url, "--fingerprint", relay.fingerprint] + Self.track
        let clock = try ChildProcess(["clock"] + common + ["--interval", "0.05"])
        let subscriber = try ChildProcess(["sub"] + common + ["--wait", "20"])
        _ = try await subscriber.outputBytes(atLeast: 25)
        try await relay.stop()
        let ended = try await subscriber.ending(within: 5)
        #expect(ended.status == 1)
        #expect(ended.complaintLines.count == 1, "\(ended.complaints)")
        #expect(try await clock.ending(within: 5).status == 1)
    }

    @Test("Ctrl-C ends a subscriber with 130 and removes what it wrote", arguments: ["waiting", "receiving"])
    func interruptedSubscriber(state: String) async throws {
        try await TemporaryDirectory.use { directory in
            let relay = try await RunningRelay()
            let common = [relay.url, "--fingerprint", relay.fingerprint] + Self.track
            let clock = state == "receiving" ? try ChildProcess(["clock"] + common + ["--interval", "0.05"]) : nil
            let subscriber = try ChildProcess(
                ["sub"] + common + ["--wait", "20", "--log-level", "error", "--output", directory + "/copy"]
            )
            try await relay.untilSessions(state == "receiving" ? 2 : 1)
            if state == "receiving" {
                #expect(await TemporaryDirectory.hasContent(directory))
            }
            subscriber.send(SIGINT)
            let ending = try await subscriber.ending()
            #expect(ending.status == 130)
            #expect(ending.complaints.isEmpty)
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory).isEmpty)
            clock?.send(SIGINT)
            if let clock {
                #expect(try await clock.ending().status == 130)
            }
            try await relay.stop()
        }
    }

    @Test("After many visits the relay holds nothing")
    func churn() async throws {
        let relay = try await RunningRelay()
        let common = [relay.url, "--fingerprint", relay.fingerprint] + Self.track
        let churn = try await ChildProcess(["bench", "churn"] + common + ["--cycles", "50"], input: Data()).ending(
            within: 60
        )
        #expect(churn.status == 0, "\(churn.complaints)")
        #expect(churn.output.contains("cycles    50\nfailures  0\n"))
        let counters = try await relay.untilSessions(0)
        for name in ["connections", "sessions", "streams", "requests", "subscriptions", "upstreams", "tracks", "tasks"]
        {
            #expect(counters[name] == "0", "\(name)")
        }
        #expect(counters["total-sessions"] == "50")
        #expect((counters["memory"]?.hasSuffix("KiB")) == true)
        try await relay.stop()
    }

    @Test("Calls onto an idle and onto a busy loop are measured")
    func wake() async throws {
        let ending = try await ChildProcess(["bench", "wake", "--count", "50"], input: Data()).ending()
        #expect(ending.status == 0, "\(ending.complaints)")
        #expect(ending.output.contains("call onto idle loop   p50/p99 us "))
        #expect(ending.output.contains("call onto busy loop   p50/p99 us "))
    }
}

extension RunningRelay {
    /// Asks for the counters until there are this many connections, for ten seconds at most, and returns the last.
    @discardableResult
    func untilSessions(_ count: Int, sourceLocation: SourceLocation = #_sourceLocation) async throws -> [String: String]
    {
        let deadline = ContinuousClock.now.advanced(by: .seconds(10))
        var number = 0
        while true {
            number += 1
            let counters = try await self.counters(number)
            if counters["connections"] == "\(count)", counters["sessions"] == "\(count)" {
                return counters
            }
            guard ContinuousClock.now < deadline else {
                Issue.record("the relay has \(counters), not \(count) connections", sourceLocation: sourceLocation)
                return counters
            }
        }
    }
}
