// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQRelay
import PacketLoop
import Testing

@Suite("Reconnecting: backoff")
struct ReconnectBackoffTests {
    /// Says the same for ever.
    private struct Constant: RandomNumberGenerator {
        var value: UInt64

        mutating func next() -> UInt64 {
            self.value
        }
    }

    private static func instant(_ seconds: Double) -> LoopInstant {
        LoopInstant(microseconds: UInt64(seconds * 1_000_000))
    }

    @Test("The bounds grow by the factor, up to the maximum, and each wait is between half of its bound and the bound")
    func growth() {
        for (value, share) in [(UInt64.min, 0.5), (.max, 1.0)] {
            var generator = Constant(value: value)
            var backoff = ReconnectBackoff(first: .seconds(1), factor: 3, maximum: .seconds(20))
            let waits = (0..<6).map { _ in backoff.failed(at: Self.instant(1), using: &generator) }
            let expected = [1.0, 3, 9, 20, 20, 20].map { Duration.seconds($0 * share) }
            #expect(waits.count == expected.count)
            for (wait, expected) in zip(waits, expected) {
                #expect(abs((wait - expected) / .seconds(1)) < 0.001, "\(wait) is not \(expected)")
            }
        }
    }

    @Test("A stable connection makes the next wait the first one again, a short one does not")
    func stability() {
        var generator = Constant(value: .max)
        var backoff = ReconnectBackoff(first: .seconds(1), maximum: .seconds(64), stableAfter: .seconds(10))
        for _ in 0..<3 {
            _ = backoff.failed(at: Self.instant(1), using: &generator)
        }
        backoff.connected(at: Self.instant(100))
        #expect(backoff.failed(at: Self.instant(109.9), using: &generator) > .seconds(7.9))
        backoff.connected(at: Self.instant(200))
        #expect(backoff.failed(at: Self.instant(210), using: &generator) <= .seconds(1))
        #expect(backoff.failed(at: Self.instant(400), using: &generator) > .seconds(1.9), "it stood only once")
    }

    @Test("Without hope the next wait has the highest bound")
    func hopeless() {
        var generator = Constant(value: .max)
        var backoff = ReconnectBackoff(first: .seconds(1), maximum: .seconds(64))
        backoff.connected(at: Self.instant(0))
        backoff.giveUpHope()
        #expect(backoff.failed(at: Self.instant(1_000), using: &generator) > .seconds(63))
    }

    @Test("Senseless settings are put right, and the bound never overflows")
    func extremes() {
        var generator = SeededGenerator(seed: 4)
        var backoff = ReconnectBackoff(first: .seconds(5), factor: 0, maximum: .seconds(1))
        for _ in 0..<100 {
            let wait = backoff.failed(at: Self.instant(1), using: &generator)
            #expect(wait >= .seconds(2.5))
            #expect(wait <= .seconds(5.001))
        }
        let longest = Duration.seconds(Int64.max / 4)
        var large = ReconnectBackoff(first: .seconds(1), factor: .max, maximum: longest)
        _ = large.failed(at: Self.instant(1), using: &generator)
        #expect(large.failed(at: Self.instant(1), using: &generator) >= longest / 2)
    }
}
