// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// How a test case of the interop runner ended, and the lines of TAP version 14 that say so.
struct InteropVerdict: Hashable, Sendable {
    /// What was expected and did not happen.
    struct Problem: Error, Hashable, Sendable {
        /// What should have come.
        var expected: String
        /// What came instead.
        var received: String
        /// A sentence for people.
        var message: String
        /// Whether no other test can go better, because the relay cannot be reached.
        var isFatal = false
    }

    /// The test case.
    var name: String
    /// What went wrong; nil when it passed.
    var problem: Problem?
    /// How long it took.
    var milliseconds: UInt64
    /// The drafts and connection ids that are known, by the names of their fields.
    var fields: [Field] = []

    /// A field of the diagnostics.
    struct Field: Hashable, Sendable {
        var name: String
        var value: String
    }

    /// The test point and its diagnostics. `number` counts from 1.
    func lines(number: Int) -> [String] {
        var lines = ["\(self.problem == nil ? "ok" : "not ok") \(number) - \(self.name)", "  ---"]
        lines.append("  duration_ms: \(self.milliseconds)")
        if let problem = self.problem {
            lines += [
                "  expected: \(Self.quoted(problem.expected))", "  received: \(Self.quoted(problem.received))",
                "  message: \(Self.quoted(problem.message))",
            ]
        }
        lines += self.fields.map { "  \($0.name): \(Self.quoted($0.value))" }
        return lines + ["  ..."]
    }

    /// A text as YAML and JSON write it.
    private static func quoted(_ text: String) -> String {
        JSONValue.text(text).rendered
    }
}
