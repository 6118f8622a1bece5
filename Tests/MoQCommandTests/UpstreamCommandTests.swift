// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import ArgumentParser
import Foundation
import MoQ
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

    @Test("A relay shows an upstream relay the token that it wants to see", arguments: [18, 16, 14])
    func tokens(draft: Int) async throws {
        try await TemporaryDirectory.use { directory in
            func file(_ name: String, _ text: String) throws -> String {
                let path = "\(directory)/\(name)"
                try Data(text.utf8).write(to: URL(fileURLWithPath: path))
                return path
            }
            let drafts = ["--drafts", "\(draft)"]
            let upper = try await RunningRelay(
                options: drafts + ["--token-file", try file("upper", "of the publisher\nof the relay\n")]
            )
            let trust = ["--upstream", upper.url, "--upstream-fingerprint", upper.fingerprint]
            let strangers = try await RunningRelay(options: trust)
            let lower = try await RunningRelay(
                options: trust + ["--upstream-token-file", try file("lower", "of the relay\n")]
            )
            for relay in [strangers, lower] {
                _ = try await relay.process.complaintLine(after: "moq: upstream \(upper.url)/: connected")
            }
            let publisher = try ChildProcess(
                ["pub", upper.url, "--insecure", "--token-file", try file("publisher", "of the publisher\n")]
                    + drafts + self.track + ["-i", "-", "--lines"]
            )
            try await upper.untilNamespaces(1)
            let ask = ["status", strangers.url, "--insecure"] + self.track
            let refused = try await ChildProcess(ask, input: Data()).ending()
            #expect(refused.status == 1)
            #expect(refused.complaints.contains("UNAUTHORIZED"), "\(refused.complaints)")
            let viewer = try ChildProcess(["sub", lower.url, "--insecure"] + self.track + ["--wait", "20"])
            try await upper.untilSubscriptions(1)
            try publisher.write("secret\n")
            publisher.endInput(Data())
            let seen = try await viewer.ending()
            #expect(seen.output == "secret\n")
            #expect(seen.status == 0, "\(seen.complaints)")
            #expect(try await publisher.ending().status == 0)
            for relay in [lower, strangers, upper] {
                try await relay.stop()
            }
        }
    }

    /// Says to everybody where to go instead, as soon as it is there.
    private final class LeavingHandler: MoQSessionHandler {
        private let uri: String

        init(uri: String) {
            self.uri = uri
        }

        func sessionDidSetUp(_ session: MoQSession) {
            session.sendGoaway(newSessionURI: self.uri)
        }

        func session(_ session: MoQSession, didReceive request: IncomingSubscribe) {}
        func session(_ session: MoQSession, didReceive request: IncomingPublish) {}
        func session(_ session: MoQSession, didReceive request: IncomingPublishNamespace) {}
        func session(_ session: MoQSession, didReceive request: IncomingSubscribeNamespace) {}
        func session(_ session: MoQSession, didReceiveGoaway uri: String?, timeout: Duration?) {}
        func session(_ session: MoQSession, didClose closure: MoQSessionClosure) {}
    }

    @Test("A relay goes where its upstream relay says", arguments: [18, 16, 14])
    func redirect(draft: Int) async throws {
        let next = try await RunningRelay("--drafts", "\(draft)")
        // In this process, because no command of ours sends others away.
        let port = try freePort()
        let command = try RelayCommand.parse(
            ["--listen", "127.0.0.1:\(port)", "--self-signed", "--drafts", "\(draft)"]
        )
        let settings = try ServerSettings(
            connection: command.connection,
            identity: command.identity,
            address: command.listen
        )
        let uri = next.url + "/there"
        let leaving = try await ServerEndpoint.start(settings) { _ in
        } accept: { transport, profile, loop in
            let session = MoQSession(
                transport: transport,
                loop: loop,
                profile: profile,
                handler: LeavingHandler(uri: uri)
            )
            session.start()
            return session
        }
        let upstream = "moqt://127.0.0.1:\(port)"
        let lower = try await RunningRelay(options: ["--upstream", upstream, "--upstream-insecure"])
        let line = try await lower.process.complaintLine(after: "moq: upstream \(upstream)/: connected")
        #expect(line == ", draft \(draft)")
        try await self.transfer(from: next, to: lower, draft: draft)
        try await lower.stop()
        try await next.stop()
        await leaving.stop()
    }

    @Test(
        "Options for an upstream relay that make no sense are refused",
        arguments: [
            ["--upstream-token-file", "/dev/null"],
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
    /// Waits until the relay has so many subscriptions, and returns the last counters.
    @discardableResult
    func untilSubscriptions(
        _ count: Int,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> [String: String] {
        let deadline = ContinuousClock.now.advanced(by: .seconds(10 * TestBuild.patience))
        var counters = try await self.nextCounters()
        while counters["subscriptions"] != "\(count)" {
            guard ContinuousClock.now < deadline else {
                Issue.record("the relay has \(counters), not \(count) subscriptions", sourceLocation: sourceLocation)
                return counters
            }
            counters = try await self.nextCounters()
        }
        return counters
    }
}
