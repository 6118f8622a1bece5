// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// How a draft writes integers (draft-18 §1.4.1; RFC 9000 §16 for the older drafts).
public enum IntegerCoding: UInt8, Hashable, Sendable {
    /// QUIC's variable-length integers: 1, 2, 4 or 8 bytes, up to 2^62 - 1.
    case quic
    /// The coding of draft 17 and later: 1 to 9 bytes, up to 2^64 - 1.
    case vi64
}

/// How a draft writes the types of key-value pairs.
public enum KeyCoding: UInt8, Hashable, Sendable {
    /// Each type is written as it is (draft 14).
    case absolute
    /// Each type is written as its distance from the one before, so types ascend (draft 15 and later).
    case delta
}

/// Everything one must know to read a sequence of key-value pairs.
public struct KeyValueCoding: Hashable, Sendable {
    /// How integers are written.
    public var integers: IntegerCoding
    /// How types are written.
    public var keys: KeyCoding

    /// Makes a coding of its two halves.
    public init(integers: IntegerCoding, keys: KeyCoding) {
        self.integers = integers
        self.keys = keys
    }

    /// The coding of draft 14.
    public static let draft14 = KeyValueCoding(integers: .quic, keys: .absolute)
    /// The coding of drafts 15 and 16.
    public static let draft16 = KeyValueCoding(integers: .quic, keys: .delta)
    /// The coding of draft 17 and later.
    public static let draft18 = KeyValueCoding(integers: .vi64, keys: .delta)
}
