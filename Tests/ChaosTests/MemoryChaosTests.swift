// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import ChaosEngine
import Testing

@Suite("Chaos", .timeLimit(.minutes(3)))
struct ChaosTests {
    @Test("Random interleavings over simulated links keep every promise, and are the same every time")
    func memory() async {
        for seed in 1...60 {
            let outcome = await Episode.run(seed: UInt64(seed), kind: .memory)
            #expect(outcome.violations.isEmpty, "seed \(seed): \(outcome.violations)")
        }
    }
}
