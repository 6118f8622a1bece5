// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Tells payloads apart without keeping them. It does not depend on how a payload is cut into parts. It is no defence
/// against somebody who looks for two payloads with one digest: who can do that can as well publish one of them only.
public struct PayloadDigest: Hashable, Sendable {
    private var state: UInt64 = 0x6A09_E667_F3BC_C908
    private var word: UInt64 = 0
    private var byteCount = 0

    /// The digest of nothing.
    public init() {}

    /// The digest of what came so far.
    var value: UInt64 {
        var end = self
        end.mix(self.word)
        return end.state
    }

    /// The next part of the payload.
    public mutating func update(_ bytes: RawSpan) {
        let count = bytes.byteCount
        var offset = 0
        while self.byteCount > 0, offset < count {
            self.take(unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
            offset += 1
        }
        while count - offset >= 8 {
            self.mix(unsafe UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)))
            offset += 8
        }
        while offset < count {
            self.take(unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
            offset += 1
        }
    }

    private mutating func take(_ byte: UInt8) {
        self.word |= UInt64(byte) << UInt64(self.byteCount * 8)
        self.byteCount += 1
        if self.byteCount == 8 {
            self.mix(self.word)
            self.word = 0
            self.byteCount = 0
        }
    }

    private mutating func mix(_ word: UInt64) {
        self.state = (self.state ^ word) &* 0x9E37_79B9_7F4A_7C15
        self.state ^= self.state >> 32
    }
}
