// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import TestSupport
import Testing

@testable import MoQCommand

/// `moq test-origin` and `moq test-client` as processes, on loopback.
@Suite("Origin and client of the moq-test protocol", .timeLimit(.minutes(3)))
struct MoQTestProcessTests {
    /// An origin that listens.
    private func listen(draft: Int) async throws -> (origin: ChildProcess, arguments: [String]) {
        let origin = try ChildProcess(
            ["test-origin", "--listen", "127.0.0.1:0", "--self-signed", "--drafts", "\(draft)"],
            input: Data()
        )
        let fingerprint = try await origin.outputLine(after: "fingerprint sha-256 ")
        let url = try await origin.outputLine(after: "listening ")
        return (origin, ["test-client", url, "--fingerprint", fingerprint])
    }

    private static func stop(_ origin: ChildProcess) async throws {
        origin.send(SIGTERM)
        let ending = try await origin.ending(within: 10)
        #expect(ending.status == 0, "\(ending.complaints)")
        #expect(ending.complaints.isEmpty)
    }

    @Test("A relay brings every object of the suite")
    func suite() async throws {
        try await atOnce([18, 16, 14]) { draft in
            let relay = try await RunningRelay("--drafts", "\(draft)")
            let common = [relay.url, "--fingerprint", relay.fingerprint]
            let origin = try ChildProcess(["test-origin"] + common, input: Data())
            _ = try await origin.outputLine(after: "announced moq-test-00 to ")
            let client = try ChildProcess(["test-client"] + common + ["--suite"], input: Data())
            let ending = try await client.ending(within: 60)
            #expect(ending.status == 0, "draft \(draft): \(ending.complaints)\(ending.output)")
            let good = ending.output.split(separator: "\n").filter { $0.hasPrefix("ok   subscribe moq-test-00/") }
            #expect(good.count == MoQTestSuite.tuples.count, "draft \(draft)")
            #expect(good.allSatisfy { $0.hasSuffix(", draft \(draft)") })
            try await Self.stop(origin)
            try await relay.stop()
        }
    }

    @Test("A listening origin answers SUBSCRIBE, FETCH and subscriptions to namespaces", arguments: [18, 16, 14])
    func direct(draft: Int) async throws {
        let (origin, client) = try await self.listen(draft: draft)
        for options in [
            ["-n", "moq-test-00/2///3//4/5000/7/3/2/1/1/9/9"], ["-n", "moq-test-00/3///3//4/500/7/3", "--publish"],
            ["-n", "moq-test-00/0///3//4/500/7/3", "--fetch", "--from", "1:1", "--through", "2:2", "--descending"],
            ["-n", "moq-test-00/0///////20", "--duration", "0.5"],
        ] {
            let ending = try await ChildProcess(client + options, input: Data()).ending(within: 20)
            #expect(ending.status == 0, "\(options): \(ending.complaints)\(ending.output)")
            #expect(ending.output.hasPrefix("ok   "), "\(ending.output)")
        }
        try await Self.stop(origin)
    }

    @Test("Reports as JSON have the figures and the differences")
    func json() async throws {
        let (origin, client) = try await self.listen(draft: 18)
        let good = ["-n", "moq-test-00/1///1//3/10/20/0/////4", "--json"]
        let ending = try await ChildProcess(client + good, input: Data()).ending(within: 20)
        let report = try JSONSerialization.jsonObject(with: Data(ending.output.utf8)) as? [String: Any]
        #expect(report?["ok"] as? Bool == true)
        #expect(report?["objects"] as? Int == 6)
        #expect(report?["bytes"] as? Int == 100)
        #expect(report?["streams"] as? Int == 6)
        #expect(report?["draft"] as? Int == 18)
        // Too large for datagrams: the origin refuses.
        let bad = ["-n", "moq-test-00/3///1//3/100000", "--json"]
        let refused = try await ChildProcess(client + bad, input: Data()).ending(within: 20)
        #expect(refused.status == 1)
        #expect(refused.complaints == "moq: 1 of 1 tracks are not what their namespaces say\n")
        let refusal = try JSONSerialization.jsonObject(with: Data(refused.output.utf8)) as? [String: Any]
        #expect(refusal?["ok"] as? Bool == false)
        #expect((refusal?["mismatches"] as? [String])?.first?.contains("do not fit into datagrams") == true)
        try await Self.stop(origin)
    }

    @Test("An origin without its relay says so")
    func relayLeaves() async throws {
        let relay = try await RunningRelay()
        let origin = try ChildProcess(["test-origin", relay.url, "--fingerprint", relay.fingerprint], input: Data())
        _ = try await origin.outputLine(after: "announced moq-test-00 to ")
        try await relay.stop()
        let ending = try await origin.ending(within: 10)
        #expect(ending.status == 1)
        #expect(ending.complaintLines.count == 1, "\(ending.complaints)")
    }
}
