// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Collects durations and says how they are distributed, in a bounded amount of memory.
///
/// Up to a number of samples the figures are exact. Beyond it every sample has the same chance to be among those kept
/// (reservoir sampling), so percentiles stay honest; smallest, largest and count are always exact.
struct LatencySamples {
    private let capacity: Int
    private var kept: [Double] = []
    private var generator = SystemRandomNumberGenerator()

    /// How many samples were recorded.
    private(set) var count = 0
    /// The smallest sample, 0 when there is none.
    private(set) var smallest = 0.0
    /// The largest sample, 0 when there is none.
    private(set) var largest = 0.0

    /// Makes an empty collection that keeps at most this many samples.
    init(capacity: Int = 65_536) {
        self.capacity = max(1, capacity)
    }

    /// Adds a sample, in any unit.
    mutating func record(_ sample: Double) {
        self.smallest = self.count == 0 ? sample : min(self.smallest, sample)
        self.largest = self.count == 0 ? sample : max(self.largest, sample)
        self.count += 1
        if self.kept.count < self.capacity {
            self.kept.append(sample)
        } else {
            let position = Int.random(in: 0..<self.count, using: &self.generator)
            if position < self.capacity {
                self.kept[position] = sample
            }
        }
    }

    /// The sample that this share (0...1) of all samples does not exceed (nearest rank); 0 when there is none.
    func percentile(_ share: Double) -> Double {
        let sorted = self.kept.sorted()
        guard let last = sorted.last else { return 0 }
        let rank = Int((share * Double(sorted.count)).rounded(.up))
        return rank <= 0 ? sorted[0] : rank > sorted.count ? last : sorted[rank - 1]
    }
}
