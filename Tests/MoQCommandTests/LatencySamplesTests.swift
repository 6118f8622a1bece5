// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Testing

@testable import MoQCommand

@Suite("Latency figures")
struct LatencySamplesTests {
    @Test("Percentiles are by nearest rank")
    func percentiles() {
        var samples = LatencySamples()
        for value in (1...100).reversed() {
            samples.record(Double(value))
        }
        #expect(samples.percentile(0.5) == 50)
        #expect(samples.percentile(0.99) == 99)
        #expect(samples.percentile(0) == 1)
        #expect(samples.percentile(1) == 100)
        #expect(samples.smallest == 1)
        #expect(samples.largest == 100)
    }

    @Test("Without samples every figure is zero")
    func empty() {
        let samples = LatencySamples()
        #expect(samples.percentile(0.5) == 0)
        #expect(samples.count == 0)
    }

    @Test("Beyond the capacity the extremes and the count stay exact")
    func reservoir() {
        var samples = LatencySamples(capacity: 10)
        for value in 1...1_000 {
            samples.record(Double(value))
        }
        #expect(samples.count == 1_000)
        #expect(samples.smallest == 1)
        #expect(samples.largest == 1_000)
        #expect((1...1_000).contains(samples.percentile(0.5)))
    }
}
