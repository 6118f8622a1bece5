// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Testing

@testable import MoQCommand

@Suite("Histogram of latencies")
struct LatencyHistogramTests {
    private static let shares = [0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1]

    /// Numbers over nine orders of magnitude, the same each time.
    private static func samples(_ count: Int, seed: UInt64) -> [UInt64] {
        var state = seed
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 33) >> (state >> 27 & 31)
        }
    }

    private static func exact(_ share: Double, of sorted: [UInt64]) -> UInt64 {
        let rank = Int((Double(sorted.count) * share - 1e-9).rounded(.up))
        return sorted[max(rank, 1) - 1]
    }

    private static func histogram(_ values: [UInt64]) -> LatencyHistogram {
        var histogram = LatencyHistogram()
        for value in values {
            histogram.record(value)
        }
        return histogram
    }

    private static func compare(_ histogram: LatencyHistogram, with values: [UInt64]) {
        let sorted = values.sorted()
        #expect(histogram.count == UInt64(values.count))
        #expect(histogram.minimum == sorted.first)
        #expect(histogram.maximum == sorted.last)
        let mean = values.reduce(0.0) { $0 + Double($1) } / Double(values.count)
        #expect(abs(histogram.mean - mean) <= mean * 1e-9)
        for share in self.shares {
            let exact = self.exact(share, of: sorted)
            let found = histogram.percentile(share)
            #expect(found >= exact && found - exact <= exact / 1_000, "\(share): \(found) instead of \(exact)")
        }
    }

    @Test("Percentiles are never below the exact ones and at most a thousandth above", arguments: [1, 2, 100, 20_000])
    func percentiles(count: Int) {
        let values = Self.samples(count, seed: UInt64(count))
        Self.compare(Self.histogram(values), with: values)
    }

    @Test("Ranks are exact for small values, and not moved by the arithmetic of shares")
    func ranks() {
        let histogram = Self.histogram((1...1_000).reversed())
        for percent in 1...100 {
            #expect(histogram.percentile(Double(percent) / 100) == UInt64(percent * 10), "\(percent)")
        }
        #expect(histogram.percentile(0.999) == 999)
        #expect(histogram.percentile(-1) == 1)
        #expect(histogram.percentile(2) == 1_000)
    }

    @Test("A merged histogram is that of all values together")
    func merge() {
        let first = Self.samples(5_000, seed: 1)
        let second = Self.samples(3_000, seed: 2).map { $0 * 7 }
        var merged = Self.histogram(first)
        merged.merge(Self.histogram(second))
        merged.merge(LatencyHistogram())
        Self.compare(merged, with: first + second)
        var other = LatencyHistogram()
        other.merge(Self.histogram(first))
        Self.compare(other, with: first)
    }

    @Test("Without values everything is zero")
    func empty() {
        let histogram = LatencyHistogram()
        #expect(histogram.count == 0)
        #expect(histogram.minimum == 0)
        #expect(histogram.maximum == 0)
        #expect(histogram.mean == 0)
        #expect(histogram.percentile(0.5) == 0)
    }

    @Test("Buckets follow each other without a gap, and none is wider than a thousandth of its values")
    func buckets() {
        var index = 0
        var first: UInt64 = 0
        while first <= LatencyHistogram.largestValue {
            let last = LatencyHistogram.upperBound(of: index)
            #expect(LatencyHistogram.index(of: first) == index)
            #expect(LatencyHistogram.index(of: last) == index)
            guard last >= first, last - first <= first / 1_000 else {
                Issue.record("bucket \(index) is from \(first) to \(last)")
                return
            }
            first = last + 1
            index += 1
        }
        #expect(first == LatencyHistogram.largestValue + 1)
    }

    @Test("What is beyond the largest value counts as that")
    func overflow() {
        let histogram = Self.histogram([5, .max, LatencyHistogram.largestValue + 1])
        #expect(histogram.count == 3)
        #expect(histogram.maximum == LatencyHistogram.largestValue)
        #expect(histogram.percentile(0.9) == LatencyHistogram.largestValue)
        #expect(histogram.percentile(0.1) == 5)
    }
}
