// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import ChaosEngine
import TestSupport
import Testing

@Suite("Chaos notices what is wrong", .timeLimit(.minutes(TestBuild.minutes(3))))
struct SabotageTests {
    /// In so many episodes at most every defect finds its occasion.
    private static let episodes = UInt64(40)

    @Test("A defect that is put in on purpose is found, and named for what it is", arguments: Sabotage.allCases)
    func found(_ sabotage: Sabotage) async throws {
        let executable = try BuiltProduct.path(of: "chaos")
        for seed in 1...Self.episodes {
            let outcome = await Episode.run(
                seed: seed,
                kind: sabotage.kind,
                sabotage: sabotage,
                executable: executable
            )
            let violations = outcome.violations
            guard let first = violations.first else { continue }
            #expect(sabotage.expected.contains(first.invariant), "\(violations)")
            return
        }
        Issue.record("\(sabotage) was not noticed in \(Self.episodes) episodes")
    }
}
