// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import WebTransport

/// Bytes that tell which stream they belong to and where in it they stand, so that the receiver notices what is missing,
/// doubled or out of place. Every eight bytes are a number: the stream above, the position below.
enum BenchPattern {
    /// The length of one number.
    static let unit = 8
    /// How many bytes are made at a time.
    static let chunk = 64 << 10

    private static func word(_ stream: StreamID, _ position: UInt64) -> UInt64 {
        (stream.rawValue << 40 | position).littleEndian
    }

    /// The bytes of a stream from an offset on; both are multiples of the unit.
    static func make(_ stream: StreamID, from offset: UInt64, count: Int) -> Bytes {
        let first = offset / UInt64(self.unit)
        return Bytes(capacity: count) { output in
            for position in 0..<UInt64(count / self.unit) {
                unsafe output.append(self.word(stream, first + position), as: UInt64.self)
            }
        }
    }

    /// Whether these are the bytes of a stream from an offset on; both are multiples of the unit.
    static func check(_ bytes: RawSpan, of stream: StreamID, from offset: UInt64) -> Bool {
        let first = offset / UInt64(self.unit)
        for position in 0..<(bytes.byteCount / self.unit) {
            let found = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: position * self.unit, as: UInt64.self)
            guard found == self.word(stream, first + UInt64(position)) else { return false }
        }
        return true
    }
}
