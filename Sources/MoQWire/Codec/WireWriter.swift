// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Appends fields to an array of bytes, in the coding of one draft.
///
/// Integers that the coding cannot hold throw; nothing else does.
public struct WireWriter {
    /// The longest form of an integer in any coding.
    public static let maximumIntegerLength = 9

    /// What has been written so far.
    public private(set) var bytes: [UInt8]
    @usableFromInline let integers: IntegerCoding

    /// Starts behind `bytes`.
    public init(appendingTo bytes: consuming [UInt8] = [], integers: IntegerCoding) {
        self.bytes = bytes
        self.integers = integers
    }

    /// Appends one byte.
    public mutating func write(byte: UInt8) {
        self.bytes.append(byte)
    }

    /// Appends two bytes in network order.
    public mutating func write(uint16 value: UInt16) {
        self.bytes.append(UInt8(value >> 8))
        self.bytes.append(UInt8(value & 0xFF))
    }

    /// Appends bytes as they are.
    public mutating func write(bytes: [UInt8]) {
        self.bytes.append(contentsOf: bytes)
    }

    /// Appends an integer in its shortest form.
    ///
    /// - Throws: when the value needs more than the 62 bits of QUIC's coding.
    public mutating func write(integer value: UInt64) throws(MoQWireError) {
        let length = try Self.length(of: value, integers: self.integers)
        let first: UInt8
        switch self.integers {
        case .quic:
            first = UInt8(length.trailingZeroBitCount) << 6
        case .vi64:
            // `length - 1` ones, then a zero where there is room for it.
            first = length >= 9 ? 0xFF : ~(0xFF >> UInt8(length - 1))
        }
        if length >= 9 {
            self.bytes.append(first)
        } else {
            self.bytes.append(first | UInt8(truncatingIfNeeded: value >> (8 * UInt64(length - 1))))
        }
        var shift = 8 * (length - 2)
        while shift >= 0 {
            self.bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(shift)))
            shift -= 8
        }
    }

    /// How many bytes the shortest form of an integer takes.
    ///
    /// - Throws: when the coding cannot hold the value.
    public static func length(of value: UInt64, integers: IntegerCoding) throws(MoQWireError) -> Int {
        switch integers {
        case .quic:
            switch value {
            case ..<(1 << 6): return 1
            case ..<(1 << 14): return 2
            case ..<(1 << 30): return 4
            case ..<(1 << 62): return 8
            default: throw .notExpressible("\(value) does not fit into an integer of 62 bits")
            }
        case .vi64:
            let bits = 64 - value.leadingZeroBitCount
            return bits > 56 ? 9 : max(1, (bits + 6) / 7)
        }
    }

    /// Appends a length and the bytes.
    public mutating func write(prefixed bytes: [UInt8]) throws(MoQWireError) {
        try self.write(integer: UInt64(bytes.count))
        self.bytes.append(contentsOf: bytes)
    }

    /// Appends a length and the text in UTF-8.
    public mutating func write(prefixed text: String) throws(MoQWireError) {
        try self.write(integer: UInt64(text.utf8.count))
        self.bytes.append(contentsOf: text.utf8)
    }

    /// Appends a group and an object.
    mutating func write(_ location: Location) throws(MoQWireError) {
        try self.write(integer: location.group)
        try self.write(integer: location.object)
    }

    /// Puts a 16-bit number where two bytes were reserved before.
    mutating func patch(uint16 value: UInt16, at index: Int) {
        guard index >= 0, index + 1 < self.bytes.count else {
            return
        }
        self.bytes[index] = UInt8(value >> 8)
        self.bytes[index + 1] = UInt8(value & 0xFF)
    }
}

extension WireWriter {
    /// Lets `body` append to `bytes`, and takes back what it appended when it throws.
    static func append(
        to bytes: inout [UInt8],
        integers: IntegerCoding,
        _ body: (inout WireWriter) throws(MoQWireError) -> Void
    ) throws(MoQWireError) {
        let count = bytes.count
        var writer = WireWriter(appendingTo: Self.take(&bytes), integers: integers)
        do throws(MoQWireError) {
            try body(&writer)
            bytes = writer.release()
        } catch {
            bytes = writer.release()
            bytes.removeLast(bytes.count - count)
            throw error
        }
    }

    /// Takes an array out of its variable, so that its owner can append in place.
    private static func take(_ bytes: inout [UInt8]) -> [UInt8] {
        let taken = bytes
        bytes = []
        return taken
    }

    /// Gives the array away, so that its next owner can append in place.
    private mutating func release() -> [UInt8] {
        Self.take(&self.bytes)
    }
}
