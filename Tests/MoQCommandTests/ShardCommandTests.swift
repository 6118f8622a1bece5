// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import TestSupport
import Testing

@testable import MoQCommand

/// `moq relay --shards`, between real processes on loopback.
@Suite("Relays with several shards, as processes", .timeLimit(.minutes(3)))
struct ShardCommandTests {
    private let track = ["-n", "test/news", "-t", "lines"]

    @Test("Whichever shards clients come to, they get everything, and the relay counts as one; nothing is left of them")
    func oneRelay() async throws {
        let relay = try await RunningRelay("--shards", "2", "--loop", "epoll")
        let publisher = try ChildProcess(
            ["pub", relay.url, "--fingerprint", relay.fingerprint] + self.track + ["-i", "-", "--lines"]
        )
        try await relay.untilNamespaces(1)
        let viewers = try (0..<6).map { _ in
            try ChildProcess(
                ["sub", relay.url, "--fingerprint", relay.fingerprint] + self.track + ["--wait", "20"]
            )
        }
        let counters = try await relay.untilSubscriptions(6)
        #expect(counters["sessions"] == "7")
        #expect(counters["namespaces"] == "1")
        #expect(counters["upstreams"] == "1")
        try publisher.write("one\ntwo\nthree\n")
        publisher.endInput(Data())
        for viewer in viewers {
            let ending = try await viewer.ending()
            #expect(ending.output == "one\ntwo\nthree\n")
            #expect(ending.status == 0, "\(ending.complaints)")
        }
        #expect(try await publisher.ending().status == 0)
        let after = try await relay.untilNamespaces(0)
        for name in ["subscriptions", "upstreams", "tracks"] {
            #expect(after[name] == "0", "\(name)")
        }
        let incoming = try #require(after["bytes-in"].flatMap { Int($0) })
        #expect(after["bytes-out"] == "\(6 * incoming)")
        try await relay.stop()
    }

    @Test("An upstream relay serves the clients of every shard, over one connection")
    func upstream() async throws {
        let upper = try await RunningRelay()
        let lower = try await RunningRelay(
            options: [
                "--shards", "2", "--loop", "epoll", "--upstream", upper.url, "--upstream-fingerprint",
                upper.fingerprint,
            ]
        )
        _ = try await lower.process.complaintLine(after: "moq: upstream \(upper.url)")
        let publisher = try ChildProcess(
            ["pub", upper.url, "--fingerprint", upper.fingerprint] + self.track + ["-i", "-", "--lines"]
        )
        try await upper.untilNamespaces(1)
        let viewers = try (0..<4).map { _ in
            try ChildProcess(
                ["sub", lower.url, "--fingerprint", lower.fingerprint] + self.track + ["--wait", "20"]
            )
        }
        let counters = try await lower.untilSubscriptions(4)
        #expect(counters["sessions"] == "5")
        #expect(try await upper.nextCounters()["subscriptions"] == "1")
        try publisher.write("one\n")
        publisher.endInput(Data())
        for viewer in viewers {
            #expect(try await viewer.ending().output == "one\n")
        }
        #expect(try await publisher.ending().status == 0)
        try await lower.stop()
        try await upper.stop()
    }
}
