// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// A small generator of random numbers that gives the same row for the same seed everywhere (SplitMix64).
struct ChaosRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// Begins the row that belongs to a seed.
    init(seed: UInt64) {
        self.state = seed
    }

    /// Begins a row that belongs to a seed and to the things that are named besides, and to nothing else.
    init(seed: UInt64, _ names: UInt64...) {
        self.state = names.reduce(seed, Self.mix)
    }

    /// A seed that begins the same row.
    var seed: UInt64 { self.state }

    /// The next number of the row.
    mutating func next() -> UInt64 {
        self.state &+= 0x9e37_79b9_7f4a_7c15
        return Self.scramble(self.state)
    }

    /// One number out of two, different for nearly all pairs.
    static func mix(_ left: UInt64, _ right: UInt64) -> UInt64 {
        Self.scramble(left &+ 0x9e37_79b9_7f4a_7c15 &+ Self.scramble(right &+ 0xd1b5_4a32_d192_ed03))
    }

    private static func scramble(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    /// A number from 0 to `bound` - 1.
    mutating func below(_ bound: Int) -> Int {
        Int(truncatingIfNeeded: self.next() % UInt64(max(bound, 1)))
    }

    /// A number within a range.
    mutating func within(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + self.below(range.count)
    }

    /// True in so many of a thousand cases.
    mutating func chance(perMille: Int) -> Bool {
        self.below(1_000) < perMille
    }

    /// One of several.
    mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[self.below(elements.count)]
    }

    /// A size whose magnitude is random: as many below 10 as from 10 to 100.
    mutating func size(upTo limit: Int) -> Int {
        var bits = 0
        while limit >> bits > 0 { bits += 1 }
        let magnitude = 1 << self.below(bits + 1)
        return min(1 + self.below(magnitude), max(limit, 1))
    }
}
