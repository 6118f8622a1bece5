// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser
internal import Foundation
internal import MoQPicoQuic
internal import PicoQuic

/// `moq interop-client`.
struct InteropCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "interop-client",
        abstract: "Run the test cases of the MoQT interop runner against a relay.",
        discussion: """
            Prints TAP version 14, with the connection ids of each test in its diagnostics. The environment variables \
            RELAY_URL, TESTCASE, TLS_DISABLE_VERIFY=1 and VERBOSE=1 stand for options that are not given. Exit status: 0 \
            when all tests passed, 1 when one failed, 127 for a test or a kind of URL that there is nothing for here.

              moq interop-client -r moqt://relay.example:4433
              moq interop-client -r moqt://relay.example:4433 -t announce-subscribe -v
            """
    )

    @Option(
        name: [.long, .customShort("r")],
        help: ArgumentHelp("The relay (default: \(InteropPlan.defaultRelay)).", valueName: "url")
    )
    var relay: String?

    @Option(name: [.long, .customShort("t")], help: ArgumentHelp("Run only this test.", valueName: "name"))
    var test: String?

    @Flag(name: [.long, .customShort("l")], help: "List the tests.")
    var list = false

    @Flag(name: [.long, .customShort("v")], help: "Tell every step, in comments.")
    var verbose = false

    @Flag(help: "Trust any certificate, like --insecure.")
    var tlsDisableVerify = false

    @OptionGroup(title: "Trusting the relay")
    var trust: ClientTrustOptions

    @OptionGroup(title: "Connection")
    var connection: ConnectionOptions

    func run() async throws {
        if self.list {
            for test in InteropCase.allCases {
                StandardStreams.say(test.rawValue)
            }
            return
        }
        self.connection.startLogging()
        let plan = try InteropPlan(
            InteropPlan.Options(
                relay: self.relay,
                test: self.test,
                disablesVerification: self.tlsDisableVerify,
                isVerbose: self.verbose
            ),
            environment: ProcessInfo.processInfo.environment
        )
        let url = try plan.endpoint()
        var settings = ClientSettings(connection: self.connection, trust: self.trust)
        if plan.disablesVerification {
            settings.endpoint.quic.verification = .insecure
        }
        try await self.run(plan, url: url, settings: settings)
    }

    private func run(_ plan: InteropPlan, url: EndpointURL, settings: ClientSettings) async throws {
        for line in [
            "TAP version 14", "# \(RootCommand.version)", "# Relay: \(plan.relay)",
            "# Drafts: \(self.connection.drafts.text)", "1..\(plan.cases.count)",
        ] {
            StandardStreams.say(line)
        }
        let isVerbose = plan.isVerbose
        let runner = InteropTest(url: url, settings: settings) { step in
            if isVerbose {
                StandardStreams.say("# \(step)")
            }
        }
        var failed = 0
        for (index, test) in plan.cases.enumerated() {
            let verdict = await runner.run(test)
            for line in verdict.lines(number: index + 1) {
                StandardStreams.say(line)
            }
            guard let problem = verdict.problem else { continue }
            failed += 1
            if problem.isFatal, index + 1 < plan.cases.count {
                StandardStreams.say("Bail out! \(problem.message.replacing("\n", with: " "))")
                throw CommandFailure("", exitStatus: 1)
            }
        }
        if failed > 0 {
            throw CommandFailure("", exitStatus: 1)
        }
    }
}
