// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import TestSupport
import Testing

@testable import MoQCommand

/// `moq relay --upstream`, between real processes on loopback.
@Suite("Relays with upstream relays, as processes", .timeLimit(.minutes(3)))
struct UpstreamCommandTests {
    private let track = ["-n", "test/news", "-t", "lines"]

    /// Publishes at one relay three lines that are read at the other.
    private func transfer(from source: RunningRelay, to sink: RunningRelay, draft: Int = 18) async throws {
        let drafts = ["--drafts", "\(draft)"]
        let publisher = try ChildProcess(
            ["pub", source.url, "--fingerprint", source.fingerprint] + drafts + self.track + ["-i", "-", "--lines"]
        )
        try await source.untilNamespaces(1)
        let viewer = try ChildProcess(
            ["sub", sink.url, "--fingerprint", sink.fingerprint] + drafts + self.track + ["--wait", "20"]
        )
        try await source.untilSubscriptions(1)
        try publisher.write("one\ntwo\nthree\n")
        publisher.endInput(Data())
        let ending = try await viewer.ending()
        #expect(ending.output == "one\ntwo\nthree\n")
        #expect(ending.status == 0, "\(ending.complaints)")
        #expect(try await publisher.ending().status == 0)
    }

    /// Asks for a track that nobody has: the answer is prompt.
    private func askInVain(_ relay: RunningRelay) async throws {
        let line = ["status", relay.url, "--insecure", "-n", "no/such", "-t", "thing"]
        let ending = try await ChildProcess(line, input: Data()).ending()
        #expect(ending.status == 1)
        #expect(ending.complaints.contains("DOES_NOT_EXIST"), "\(ending.complaints)")
        #expect(ending.seconds < 3 * TestBuild.patience)
    }

    @Test("What is published at a relay is read at one below it, and the other way round", arguments: [18, 16, 14])
    func bothWays(draft: Int) async throws {
        let upper = try await RunningRelay("--drafts", "\(draft)")
        let lower = try await RunningRelay(
            options: ["--upstream", upper.url, "--upstream-fingerprint", upper.fingerprint]
        )
        let line = try await lower.process.complaintLine(after: "moq: upstream \(upper.url)")
        #expect(line == "/: connected, draft \(draft)")
        try await self.transfer(from: upper, to: lower, draft: draft)
        let publisher = try ChildProcess(
            ["pub", lower.url, "--insecure", "--drafts", "\(draft)"] + self.track + ["-i", "-", "--lines"]
        )
        // It hears of the namespace from the relay below.
        try await upper.untilNamespaces(1)
        let viewer = try ChildProcess(
            ["sub", upper.url, "--insecure", "--drafts", "\(draft)"] + self.track + ["--wait", "20"]
        )
        try await lower.untilSubscriptions(1)
        try publisher.write("up\n")
        publisher.endInput(Data())
        let ending = try await viewer.ending()
        #expect(ending.output == "up\n")
        #expect(try await publisher.ending().status == 0)
        try await self.askInVain(lower)
        // The session upstream must not keep it.
        try await lower.stop()
        try await upper.stop()
    }

    @Test("A relay comes back to an upstream relay that was restarted")
    func restart() async throws {
        try await TemporaryDirectory.use { directory in
            try await self.restart(with: TestCredentials(in: directory, name: "upper"))
        }
    }

    private func restart(with credentials: TestCredentials) async throws {
        let upper = try await RunningRelay(at: "127.0.0.1:0", with: credentials)
        let lower = try await RunningRelay(
            options: ["--upstream", upper.url, "--upstream-fingerprint", credentials.fingerprint]
        )
        let prefix = "moq: upstream \(upper.url)/: "
        #expect(try await lower.process.complaintLine(after: prefix) == "connected, draft 18")
        try await self.transfer(from: upper, to: lower)
        try await upper.stop()
        let loss = try await lower.process.complaintLine(after: prefix, skipping: 1)
        #expect(loss.hasPrefix("lost (") && loss.contains("; next try in 0."), "\(loss)")
        let failure = "cannot reach \(upper.authority): nobody listens on that UDP port; next try in "
        _ = try await lower.process.complaintLine(after: prefix + failure)
        try await self.askInVain(lower)
        let again = try await RunningRelay(at: upper.authority, with: credentials)
        _ = try await lower.process.complaintLine(after: prefix + "connected", skipping: 1, within: 40)
        try await self.transfer(from: again, to: lower)
        try await lower.stop()
        try await again.stop()
    }

    @Test("Relays that lead back to themselves do not use each other, and answer at once", arguments: [1, 2])
    func ring(count: Int) async throws {
        try await TemporaryDirectory.use { directory in
            try await self.ring(of: count, with: TestCredentials(in: directory, name: "ring"))
        }
    }

    private func ring(of count: Int, with credentials: TestCredentials) async throws {
        let trust = ["--upstream-fingerprint", credentials.fingerprint]
        // The address has to be known before the relay is there.
        let first = try await RunningRelay(at: "127.0.0.1:0", with: credentials)
        try await first.stop()
        let other =
            count == 1
            ? nil
            : try await RunningRelay(at: "127.0.0.1:0", with: credentials, options: ["--upstream", first.url] + trust)
        let relay = try await RunningRelay(
            at: first.authority,
            with: credentials,
            options: ["--upstream", other?.url ?? first.url] + trust
        )
        // Whichever has connected last refuses.
        try await Self.untilRefused(
            [(relay, other?.url ?? first.url)] + (other.map { [($0, first.url)] } ?? [])
        )
        try await self.askInVain(relay)
        if let other {
            try await self.askInVain(other)
            try await other.stop()
        }
        try await relay.stop()
    }

    /// Waits until one of the relays has found that its upstream relay leads back to it.
    private static func untilRefused(_ relays: [(relay: RunningRelay, upstream: String)]) async throws {
        let deadline = ContinuousClock.now.advanced(by: .seconds(40 * TestBuild.patience))
        while ContinuousClock.now < deadline {
            for (relay, upstream) in relays {
                let line = "moq: upstream \(upstream)/: not used, because it leads back to this relay; next try in "
                if relay.process.complaintLineCount(after: line) > 0 {
                    return
                }
                _ = try await relay.nextCounters()
            }
        }
        Issue.record("no relay noticed the ring")
    }

    @Test(
        "Options for an upstream relay that make no sense are refused",
        arguments: [
            ["--upstream-insecure"], ["--upstream-ca", "x.pem"], ["--upstream", "https://host"],
            ["--upstream", "moqt://host", "--upstream-insecure", "--upstream-ca", "x.pem"],
            ["--upstream", "moqt://host", "--upstream-fingerprint", "00"],
            Array(repeating: ["--upstream", "moqt://host"], count: 5).flatMap { $0 },
        ]
    )
    func arguments(_ options: [String]) async throws {
        let line = ["relay", "--listen", "127.0.0.1:0", "--self-signed"] + options
        let ending = try await ChildProcess(line, input: Data()).ending()
        #expect(ending.status == 64)
        #expect(ending.complaints.contains("upstream"), "\(ending.complaints)")
        #expect(ending.output.isEmpty)
    }
}

extension RunningRelay {
    /// Waits until the relay has so many subscriptions.
    fileprivate func untilSubscriptions(_ count: Int, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let deadline = ContinuousClock.now.advanced(by: .seconds(10 * TestBuild.patience))
        var counters = try await self.nextCounters()
        while counters["subscriptions"] != "\(count)" {
            guard ContinuousClock.now < deadline else {
                Issue.record("the relay has \(counters), not \(count) subscriptions", sourceLocation: sourceLocation)
                return
            }
            counters = try await self.nextCounters()
        }
    }
}
