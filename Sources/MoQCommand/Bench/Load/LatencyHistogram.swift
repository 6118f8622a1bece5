// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Counts lengths of time, in nanoseconds, in buckets that grow with the values: whatever was recorded, and however often, a
/// percentile is right to three significant digits, and the memory is the same.
///
/// Up to 2,047 ns each nanosecond has its bucket; from there on each power of two has 1,024. This is the arrangement of
/// HdrHistogram. What is beyond ``largestValue`` counts as that.
struct LatencyHistogram: Sendable {
    /// About 18 minutes.
    static let largestValue: UInt64 = (1 << Self.valueBits) - 1

    private static let valueBits = 40
    /// A power of two has 1 << 10 buckets.
    private static let bucketBits = 10
    /// As many values as have a bucket of their own.
    private static let exactCount = 1 << (Self.bucketBits + 1)
    private static let bucketCount = Self.exactCount + (Self.valueBits - Self.bucketBits - 1) << Self.bucketBits

    private var buckets = [UInt64](repeating: 0, count: Self.bucketCount)
    private var sum = 0.0

    /// How many values were recorded.
    private(set) var count: UInt64 = 0
    /// The largest of them, 0 without any.
    private(set) var maximum: UInt64 = 0
    private var smallest = UInt64.max

    /// The smallest of them, 0 without any.
    var minimum: UInt64 { self.count == 0 ? 0 : self.smallest }

    /// Their average, 0 without any.
    var mean: Double { self.count == 0 ? 0 : self.sum / Double(self.count) }

    /// Counts a value.
    mutating func record(_ nanoseconds: UInt64) {
        let value = min(nanoseconds, Self.largestValue)
        self.buckets[Self.index(of: value)] &+= 1
        self.count &+= 1
        self.sum += Double(value)
        self.maximum = max(self.maximum, value)
        self.smallest = min(self.smallest, value)
    }

    /// Adds everything that another histogram has counted.
    mutating func merge(_ other: LatencyHistogram) {
        for index in self.buckets.indices {
            self.buckets[index] &+= other.buckets[index]
        }
        self.count &+= other.count
        self.sum += other.sum
        self.maximum = max(self.maximum, other.maximum)
        self.smallest = min(self.smallest, other.smallest)
    }

    /// The value that this share of what was recorded, 0 to 1, does not exceed, by nearest rank: at most a thousandth above
    /// the exact one, and never below it. 0 without any values.
    func percentile(_ share: Double) -> UInt64 {
        guard self.count > 0 else { return 0 }
        // What is 99.00000000000001 because of its arithmetic is 99.
        let exact = min(max(share, 0), 1) * Double(self.count)
        let rank = UInt64(max(1, (exact - exact.ulp * 4).rounded(.up)))
        var seen: UInt64 = 0
        for (index, number) in self.buckets.enumerated() where number > 0 {
            seen &+= number
            if seen >= rank {
                return min(Self.upperBound(of: index), self.maximum)
            }
        }
        return self.maximum
    }

    /// The bucket of a value that is not beyond the largest.
    static func index(of value: UInt64) -> Int {
        guard value >= Self.exactCount else { return Int(value) }
        let shift = (63 - value.leadingZeroBitCount) - Self.bucketBits
        let position = Int(value >> UInt64(shift)) - 1 << Self.bucketBits
        return Self.exactCount + (shift - 1) << Self.bucketBits + position
    }

    /// The largest value of a bucket.
    static func upperBound(of index: Int) -> UInt64 {
        guard index >= Self.exactCount else { return UInt64(index) }
        let above = index - Self.exactCount
        let shift = UInt64(above >> Self.bucketBits) + 1
        let first = UInt64(above & (1 << Self.bucketBits - 1) + 1 << Self.bucketBits)
        return (first + 1) << shift - 1
    }
}
