// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import ChaosEngine
import TestSupport
import Testing

/// One after the other: an episode counts the descriptors of the process.
@Suite("Chaos over loopback sockets", .timeLimit(.minutes(TestBuild.minutes(1))))
struct NetworkChaosTests {
    /// Among these seeds are both packet loops, and servers of one loop, of two, and of two without the kernel's help.
    @Test("Whatever endpoints do at random, every promise is kept", arguments: [2, 3, 4, 5, 9])
    func clean(seed: UInt64) async {
        let outcome = await Episode.run(seed: seed, kind: .network)
        #expect(outcome.violations.isEmpty)
    }
}
