// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire

/// Takes decisions from the bytes of an input, front to back. Behind the end everything is 0.
struct FuzzInput {
    /// Decides the draft by the first byte of every input. The order is part of what kept inputs mean.
    static let drafts: [DraftProfile] = [.draft14, .draft16, .draft18]

    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    var isAtEnd: Bool {
        self.position >= self.bytes.count
    }

    mutating func byte() -> UInt8 {
        guard !self.isAtEnd else {
            return 0
        }
        defer { self.position += 1 }
        return self.bytes[self.position]
    }

    /// A number below `count`.
    mutating func choice(_ count: Int) -> Int {
        count > 0 ? Int(self.byte()) % count : 0
    }

    /// The next so many bytes, or as many as there are.
    mutating func take(_ count: Int) -> [UInt8] {
        let end = min(self.bytes.count, self.position + max(0, count))
        defer { self.position = end }
        return Array(self.bytes[self.position..<end])
    }

    /// Everything that is left.
    mutating func rest() -> [UInt8] {
        self.take(self.bytes.count)
    }

    mutating func draft() -> DraftProfile {
        Self.drafts[self.choice(Self.drafts.count)]
    }
}

/// Numbers that a byte of the input stands for (SplitMix64).
struct FuzzRandom: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt8) {
        self.state = UInt64(seed)
    }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var value = self.state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    /// Bytes cut at random places.
    mutating func cut(_ bytes: [UInt8]) -> [[UInt8]] {
        var parts: [[UInt8]] = []
        var start = 0
        let longest = [1, 3, 20, 400].randomElement(using: &self) ?? 1
        while start < bytes.count {
            let end = min(bytes.count, start + Int.random(in: 1...longest, using: &self))
            parts.append(Array(bytes[start..<end]))
            start = end
        }
        return parts
    }
}
