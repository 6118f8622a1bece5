// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import ChaosEngine
import TestSupport
import Testing

@Suite("Chaos across two processes", .timeLimit(.minutes(TestBuild.minutes(2))))
struct ProcessChaosTests {
    @Test(
        "Whatever becomes of a server's process, its clients are told, and what they keep still counts",
        arguments: 1...3
    )
    func clean(seed: UInt64) async throws {
        let executable = try BuiltProduct.path(of: "chaos")
        let outcome = await Episode.run(seed: seed, kind: .process, executable: executable)
        #expect(outcome.violations.isEmpty)
    }
}
