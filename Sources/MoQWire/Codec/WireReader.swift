// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Reads the fields of a message or of a stream from a span of bytes, front to back.
///
/// The reader borrows the bytes and copies only what it hands out as arrays. It never reads beyond the span, and never
/// allocates on the strength of a length that the span does not hold. The `next…` methods return nil when the bytes do
/// not suffice, and then leave the position where it was; the `read…` methods throw instead, for use inside a frame
/// whose length is known.
public struct WireReader: ~Escapable {
    @usableFromInline let span: RawSpan
    @usableFromInline let integers: IntegerCoding
    @usableFromInline var position: Int

    /// Starts at the first byte of the span.
    @inlinable
    @_lifetime(copy span)
    public init(_ span: RawSpan, integers: IntegerCoding) {
        self.span = span
        self.integers = integers
        self.position = 0
    }

    /// How many bytes have been read.
    @inlinable
    public var offset: Int {
        self.position
    }

    /// How many bytes are left.
    @inlinable
    public var remaining: Int {
        self.span.byteCount &- self.position
    }

    /// Whether everything has been read.
    @inlinable
    public var isAtEnd: Bool {
        self.position == self.span.byteCount
    }

    /// The byte at this distance from the start; 0 beyond the end, which callers rule out before.
    @inlinable
    @inline(__always)
    func byte(at index: Int) -> UInt8 {
        guard index >= 0, index < self.span.byteCount else {
            return 0
        }
        return unsafe self.span.unsafeLoad(fromByteOffset: index, as: UInt8.self)
    }

    /// Reads one byte, if there is one.
    @inlinable
    public mutating func nextByte() -> UInt8? {
        guard self.remaining >= 1 else {
            return nil
        }
        let value = self.byte(at: self.position)
        self.position &+= 1
        return value
    }

    /// Reads two bytes in network order, if they are there.
    @inlinable
    public mutating func nextUInt16() -> UInt16? {
        guard self.remaining >= 2 else {
            return nil
        }
        let value = UInt16(self.byte(at: self.position)) << 8 | UInt16(self.byte(at: self.position &+ 1))
        self.position &+= 2
        return value
    }

    /// Reads one integer in the draft's coding, if all its bytes are there. Any length is accepted for any value.
    @inlinable
    public mutating func nextInteger() -> UInt64? {
        guard self.remaining >= 1 else {
            return nil
        }
        let first = self.byte(at: self.position)
        let length: Int
        var value: UInt64
        switch self.integers {
        case .quic:
            length = 1 << Int(first >> 6)
            value = UInt64(first & 0x3F)
        case .vi64:
            let ones = (~first).leadingZeroBitCount
            length = ones &+ 1
            // Eight leading ones leave no bit of the first byte for the value, and neither do seven.
            value = ones >= 7 ? 0 : UInt64(first & (0x7F >> UInt8(truncatingIfNeeded: ones)))
        }
        guard length <= self.remaining else {
            return nil
        }
        var index = self.position &+ 1
        let end = self.position &+ length
        while index < end {
            value = value << 8 | UInt64(self.byte(at: index))
            index &+= 1
        }
        self.position = end
        return value
    }

    /// Copies so many bytes, if they are there.
    public mutating func nextBytes(_ count: Int) -> [UInt8]? {
        guard count >= 0, count <= self.remaining else {
            return nil
        }
        let part = self.span.extracting(self.position..<(self.position &+ count))
        self.position &+= count
        return unsafe part.withUnsafeBytes { unsafe Array($0) }
    }

    /// Passes over so many bytes, if they are there.
    @inlinable
    public mutating func skip(_ count: Int) -> Bool {
        guard count >= 0, count <= self.remaining else {
            return false
        }
        self.position &+= count
        return true
    }
}

extension WireReader {
    /// What a frame that is too short for its fields is answered with.
    private static var truncated: MoQWireError {
        .violation("a field goes beyond the end of its message")
    }

    /// Reads one byte of a frame.
    public mutating func readByte() throws(MoQWireError) -> UInt8 {
        guard let value = self.nextByte() else {
            throw Self.truncated
        }
        return value
    }

    /// Reads one integer of a frame.
    public mutating func readInteger() throws(MoQWireError) -> UInt64 {
        guard let value = self.nextInteger() else {
            throw Self.truncated
        }
        return value
    }

    /// Reads a length and checks that so many bytes follow in the frame, and that it is within the limit.
    public mutating func readLength(
        limit: Int = Int.max,
        _ reason: StaticString = "a length is too large"
    ) throws(MoQWireError) -> Int {
        let length = try self.readInteger()
        guard length <= UInt64(limit) else {
            throw .violation(reason)
        }
        guard length <= UInt64(self.remaining) else {
            throw Self.truncated
        }
        return Int(length)
    }

    /// Reads so many bytes of a frame.
    public mutating func readBytes(_ count: Int) throws(MoQWireError) -> [UInt8] {
        guard let bytes = self.nextBytes(count) else {
            throw Self.truncated
        }
        return bytes
    }

    /// Copies what is left of a frame.
    public mutating func readRest() -> [UInt8] {
        self.nextBytes(self.remaining) ?? []
    }

    /// A reader for the next so many bytes, which this reader passes over.
    @_lifetime(copy self)
    public mutating func readSlice(_ count: Int) throws(MoQWireError) -> WireReader {
        guard count >= 0, count <= self.remaining else {
            throw Self.truncated
        }
        let part = self.span.extracting(self.position..<(self.position &+ count))
        self.position &+= count
        return WireReader(part, integers: self.integers)
    }

    /// Reads a group and an object.
    mutating func readLocation() throws(MoQWireError) -> Location {
        let group = try self.readInteger()
        let object = try self.readInteger()
        return Location(group: group, object: object)
    }
}
