// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What `moq interop-client` is to do: its options, or what the environment says where there is none (moq-interop-runner,
/// "MoQT Test Client Interface Specification").
struct InteropPlan: Hashable, Sendable {
    /// The relay when nobody names one.
    static let defaultRelay = "https://localhost:4443"
    /// The status for tests and relays that this client has nothing for.
    static let unsupportedStatus: Int32 = 127

    /// What was given on the command line.
    struct Options: Hashable, Sendable {
        var relay: String?
        var test: String?
        var disablesVerification = false
        var isVerbose = false
    }

    /// The relay's URL as it was given.
    var relay: String
    /// The test cases, in order.
    var cases: [InteropCase]
    /// Whether any certificate will do.
    var disablesVerification: Bool
    /// Whether to tell every step.
    var isVerbose: Bool

    /// Puts options and environment together.
    /// - Throws: ``CommandFailure`` with status 127 for a test that does not exist here.
    init(_ options: Options, environment: [String: String]) throws {
        func variable(_ name: String) -> String? {
            environment[name].flatMap { $0.isEmpty ? nil : $0 }
        }
        self.relay = options.relay ?? variable("RELAY_URL") ?? Self.defaultRelay
        self.disablesVerification = options.disablesVerification || variable("TLS_DISABLE_VERIFY") == "1"
        self.isVerbose = options.isVerbose || variable("VERBOSE") == "1"
        self.cases = InteropCase.allCases
        if let name = options.test ?? variable("TESTCASE") {
            guard let test = InteropCase(rawValue: name) else {
                throw CommandFailure("there is no test '\(name)', see --list", exitStatus: Self.unsupportedStatus)
            }
            self.cases = [test]
        }
    }

    /// Where to connect to.
    /// - Throws: ``CommandFailure`` with status 127 for WebTransport, with 64 for what is no URL.
    func endpoint() throws -> EndpointURL {
        do {
            return try EndpointURL(parsing: self.relay)
        } catch {
            let isWebTransport = self.relay.lowercased().hasPrefix("https://")
            throw CommandFailure(
                "\(error)",
                exitStatus: isWebTransport ? Self.unsupportedStatus : CommandFailure.usageStatus
            )
        }
    }
}
