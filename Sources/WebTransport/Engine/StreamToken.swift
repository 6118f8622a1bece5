// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What a transport keeps per stream to find it again: a slot number and the slot's generation, packed in a word.
///
/// It is never zero, so it fits where C wants a non-null context, and unlike a pointer it can outlive the stream: a token
/// whose slot has been given to another stream is recognised as stale.
public struct StreamToken: Hashable, Sendable {
    /// The generation in the upper half, the slot number plus one in the lower half.
    public let rawValue: UInt64

    /// Reads a token back from a word; nil for zero, which no token has.
    public init?(rawValue: UInt64) {
        guard rawValue & 0xffff_ffff != 0 else { return nil }
        self.rawValue = rawValue
    }

    /// Packs a slot and its generation.
    init(index: Int, generation: UInt32) {
        self.rawValue = UInt64(generation) << 32 | UInt64(UInt32(truncatingIfNeeded: index) &+ 1)
    }

    /// The slot number.
    var index: Int { Int(UInt32(truncatingIfNeeded: self.rawValue) &- 1) }

    /// The generation of the slot when the token was made.
    var generation: UInt32 { UInt32(truncatingIfNeeded: self.rawValue >> 32) }
}
