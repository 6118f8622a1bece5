// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import Testing

@testable import MoQCommand

@Suite("The client of the interop runner", .timeLimit(.minutes(2)))
struct InteropClientTests {
    private static let names = [
        "setup-only", "announce-only", "publish-namespace-done", "subscribe-error", "announce-subscribe",
        "subscribe-before-announce",
    ]

    @Test("Options go before the environment, and that before the defaults")
    func precedence() throws {
        let empty = try InteropPlan(InteropPlan.Options(), environment: [:])
        #expect(empty.relay == "https://localhost:4443")
        #expect(empty.cases.map(\.rawValue) == Self.names)
        #expect(!empty.disablesVerification && !empty.isVerbose)
        let environment = [
            "RELAY_URL": "moqt://a:1", "TESTCASE": "setup-only", "TLS_DISABLE_VERIFY": "1", "VERBOSE": "1",
        ]
        let fromEnvironment = try InteropPlan(InteropPlan.Options(), environment: environment)
        #expect(fromEnvironment.relay == "moqt://a:1")
        #expect(fromEnvironment.cases == [.setupOnly])
        #expect(fromEnvironment.disablesVerification && fromEnvironment.isVerbose)
        let options = InteropPlan.Options(relay: "moqt://b:2", test: "announce-only")
        let explicit = try InteropPlan(options, environment: environment)
        #expect(explicit.relay == "moqt://b:2")
        #expect(explicit.cases == [.announceOnly])
        let off = try InteropPlan(InteropPlan.Options(), environment: ["TLS_DISABLE_VERIFY": "0", "TESTCASE": ""])
        #expect(!off.disablesVerification && off.cases.count == 6)
    }

    @Test("A test that there is not, and WebTransport, are unsupported")
    func unsupported() throws {
        let unknown = #expect(throws: CommandFailure.self) {
            try InteropPlan(InteropPlan.Options(test: "x"), environment: [:])
        }
        #expect(unknown?.exitStatus == 127)
        let web = #expect(throws: CommandFailure.self) {
            try InteropPlan(InteropPlan.Options(), environment: [:]).endpoint()
        }
        #expect(web?.exitStatus == 127)
    }

    @Test("A verdict is a test point of TAP with a block of YAML")
    func tap() {
        let fields = [InteropVerdict.Field(name: "connection_id", value: "0a1b")]
        let good = InteropVerdict(name: "setup-only", problem: nil, milliseconds: 12, fields: fields)
        #expect(
            good.lines(number: 1) == [
                "ok 1 - setup-only", "  ---", "  duration_ms: 12", "  connection_id: \"0a1b\"", "  ...",
            ]
        )
        let problem = InteropVerdict.Problem(
            expected: "SETUP",
            received: "timeout",
            message: "it said \"no\"\nthen left"
        )
        let bad = InteropVerdict(name: "announce-only", problem: problem, milliseconds: 2_001)
        #expect(
            bad.lines(number: 2) == [
                "not ok 2 - announce-only", "  ---", "  duration_ms: 2001", "  expected: \"SETUP\"",
                "  received: \"timeout\"", "  message: \"it said \\\"no\\\"\\nthen left\"", "  ...",
            ]
        )
    }

    @Test("The list has one name a line")
    func list() async throws {
        let ending = try await ChildProcess(["interop-client", "--list"], input: Data()).ending(within: 10)
        #expect(ending.status == 0)
        #expect(ending.output == Self.names.map { $0 + "\n" }.joined())
    }

    @Test("Our relay passes every test", arguments: [18, 16, 14])
    func relay(draft: Int) async throws {
        let relay = try await RunningRelay("--drafts", "\(draft)")
        let client = try ChildProcess(["interop-client", "-r", relay.url, "--tls-disable-verify", "-v"], input: Data())
        let ending = try await client.ending(within: 30)
        #expect(ending.status == 0, "\(ending.complaints)\(ending.output)")
        #expect(ending.complaints.isEmpty)
        let lines = ending.output.split(separator: "\n").map(String.init)
        #expect(lines.first == "TAP version 14")
        #expect(lines.contains("1..6"))
        #expect(lines.contains("# Relay: \(relay.url)"))
        #expect(lines.contains("# publisher connected, draft-\(draft)"))
        let points = lines.filter { $0.hasPrefix("ok ") }
        #expect(points == Self.names.enumerated().map { "ok \($0 + 1) - \($1)" })
        let identifiers = lines.filter { $0.contains("connection_id: \"") }
        #expect(identifiers.count == 8)
        #expect(Set(identifiers.map { $0.split(separator: "\"")[1] }).count == 8)
        #expect(lines.contains { $0.hasPrefix("  subscriber_connection_id: ") })
        try await relay.stop()
    }

    @Test("A peer that is no relay fails what needs one, with what was expected and what came")
    func noRelay() async throws {
        let origin = try ChildProcess(["test-origin", "--listen", "127.0.0.1:0", "--self-signed"], input: Data())
        let url = try await origin.outputLine(after: "listening ")
        let client = try ChildProcess(["interop-client", "-r", url, "--tls-disable-verify"], input: Data())
        let ending = try await client.ending(within: 30)
        #expect(ending.status == 1)
        let lines = ending.output.split(separator: "\n").map(String.init)
        #expect(lines.contains("ok 1 - setup-only"))
        #expect(lines.contains("not ok 2 - announce-only"))
        #expect(lines.contains("  expected: \"REQUEST_OK\""))
        #expect(lines.contains("  received: \"error uninterested\""))
        #expect(lines.contains("ok 4 - subscribe-error"))
        #expect(lines.contains("not ok 5 - announce-subscribe"))
        origin.send(SIGTERM)
        #expect(try await origin.ending(within: 10).status == 0)
    }

    @Test("Without a relay the run bails out")
    func bailOut() async throws {
        let relay = try await RunningRelay()
        try await relay.stop()
        let client = try ChildProcess(["interop-client", "-r", relay.url, "--insecure"], input: Data())
        let ending = try await client.ending(within: 20)
        #expect(ending.status == 1)
        let lines = ending.output.split(separator: "\n")
        #expect(lines.contains("not ok 1 - setup-only"))
        #expect(lines.last?.hasPrefix("Bail out! ") == true)
    }

    @Test("The environment names the relay and the test")
    func environment() async throws {
        let relay = try await RunningRelay()
        let client = try ChildProcess(
            ["interop-client"],
            input: Data(),
            environment: ["RELAY_URL": relay.url, "TESTCASE": "subscribe-error", "TLS_DISABLE_VERIFY": "1"]
        )
        let ending = try await client.ending(within: 20)
        #expect(ending.status == 0, "\(ending.complaints)")
        #expect(ending.output.contains("\nok 1 - subscribe-error\n"))
        try await relay.stop()
    }
}
