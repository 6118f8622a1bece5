// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

extension RawSpan {
    /// The byte at a position, checked against the bounds.
    package func byte(at position: Int) -> UInt8 {
        precondition(position >= 0 && position < self.byteCount, "position out of bounds")
        return unsafe self.unsafeLoad(fromUncheckedByteOffset: position, as: UInt8.self)
    }

    /// Copies all bytes to memory that has room for them.
    func copy(to target: UnsafeMutableRawPointer) {
        unsafe self.withUnsafeBytes { source in
            if let base = source.baseAddress {
                unsafe target.copyMemory(from: base, byteCount: source.count)
            }
        }
    }

    /// Whether both spans hold the same bytes.
    package func hasSameBytes(as other: RawSpan) -> Bool {
        unsafe self.withUnsafeBytes { left in
            unsafe other.withUnsafeBytes { right in
                unsafe left.elementsEqual(right)
            }
        }
    }
}

extension [UInt8] {
    /// Adds a copy of the bytes of a span to the end.
    package mutating func append(contentsOf span: RawSpan) {
        unsafe span.withUnsafeBytes { buffer in
            unsafe self.append(contentsOf: buffer)
        }
    }
}
