// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQProtocol
import Testing

/// What tells payloads apart: the same bytes give the same digest however they are cut, other bytes another one.
struct PayloadDigestTests {
    /// Two rounds of all lanes, a word that is cut, and some more.
    private static let payload = (0..<150).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 11) }

    private static func digest(of parts: ArraySlice<UInt8>...) -> UInt64 {
        var digest = PayloadDigest()
        for part in parts {
            unsafe digest.update(part.span.bytes)
        }
        return digest.value
    }

    @Test("A digest does not depend on how a payload is cut", arguments: [0, 1, 7, 8, 9, 31, 32, 33, 64, 71, 150])
    func cuts(length: Int) {
        let bytes = Self.payload[..<length]
        let whole = Self.digest(of: bytes)
        for first in 0...length {
            #expect(Self.digest(of: bytes[..<first], bytes[first...]) == whole, "cut at \(first)")
            for second in stride(from: first, through: length, by: 5) {
                let parts = Self.digest(of: bytes[..<first], bytes[first..<second], bytes[second...])
                #expect(parts == whole, "cut at \(first) and \(second)")
            }
        }
    }

    @Test("Any byte that differs changes the digest")
    func bytes() {
        var seen: Set<UInt64> = [Self.digest(of: Self.payload[...])]
        for index in Self.payload.indices {
            for change: UInt8 in [1, 0x80, 0xFF] {
                var other = Self.payload
                other[index] ^= change
                #expect(seen.insert(Self.digest(of: other[...])).inserted, "byte \(index) changed by \(change)")
            }
        }
    }

    @Test("Words that change places change the digest")
    func order() {
        let whole = Self.digest(of: Self.payload[...])
        for first in stride(from: 0, to: 136, by: 8) {
            for second in stride(from: first + 8, through: 136, by: 8) {
                var other = Self.payload
                for offset in 0..<8 {
                    other.swapAt(first + offset, second + offset)
                }
                #expect(Self.digest(of: other[...]) != whole, "words at \(first) and \(second)")
            }
        }
    }
}
