// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Does the same for several values at once. For tests that spend their time waiting.
/// - Throws: ``CaseFailure``, which names the value, for the first that fails.
package func atOnce<Value: Sendable>(
    _ values: some Sequence<Value>,
    _ body: @escaping @Sendable (Value) async throws -> Void
) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
        for value in values {
            group.addTask {
                do {
                    try await body(value)
                } catch {
                    throw CaseFailure(description: "for \(value): \(error)")
                }
            }
        }
        try await group.waitForAll()
    }
}

/// What was thrown for one of several values.
package struct CaseFailure: Error, CustomStringConvertible {
    /// The value and the error.
    package let description: String
}
