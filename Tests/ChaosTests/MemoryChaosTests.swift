// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import ChaosEngine
import TestSupport
import Testing

@Suite("Chaos over simulated links", .timeLimit(.minutes(TestBuild.minutes(1))))
struct MemoryChaosTests {
    @Test("Whatever two sessions do at random, every promise is kept", arguments: 1...60)
    func clean(seed: UInt64) async {
        let outcome = await Episode.run(seed: seed, kind: .memory)
        #expect(outcome.violations.isEmpty)
    }

    @Test("The seed decides everything that happens")
    func digests() async {
        var digests: Set<UInt64> = []
        for seed in UInt64(100)..<105 {
            let first = await Episode.run(seed: seed, kind: .memory)
            let second = await Episode.run(seed: seed, kind: .memory)
            #expect(first.digest != nil)
            #expect(first.digest == second.digest)
            if let digest = first.digest { digests.insert(digest) }
        }
        #expect(digests.count == 5)
    }
}
