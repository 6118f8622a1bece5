// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// A number and what belongs to it: a setup option or a property (draft-18 §1.4.3, "Key-Value-Pair Structure").
public struct KeyValuePair: Hashable, Sendable {
    /// What a pair carries. Even types carry an integer, odd types carry bytes.
    public enum Value: Hashable, Sendable {
        /// The value of a pair whose type is even.
        case integer(UInt64)
        /// The value of a pair whose type is odd, at most 65,535 bytes.
        case bytes([UInt8])
    }

    /// The longest value that a pair of an odd type may have.
    public static let maximumValueLength = 65_535

    /// The type, which is even or odd as the value demands.
    public let type: UInt64
    /// The value.
    public let value: Value

    /// Makes a pair of an integer. The type must be even; nil otherwise.
    public init?(type: UInt64, integer: UInt64) {
        guard type & 1 == 0 else {
            return nil
        }
        self.type = type
        self.value = .integer(integer)
    }

    /// Makes a pair of bytes. The type must be odd and the value within ``maximumValueLength``; nil otherwise.
    public init?(type: UInt64, bytes: [UInt8]) {
        guard type & 1 == 1, bytes.count <= Self.maximumValueLength else {
            return nil
        }
        self.type = type
        self.value = .bytes(bytes)
    }
}
