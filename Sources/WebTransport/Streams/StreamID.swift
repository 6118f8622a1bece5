// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// The number of a stream as it is on the wire (RFC 9000 section 2.1).
public struct StreamID: RawRepresentable, Hashable, Comparable, Sendable {
    /// The 62-bit number.
    public var rawValue: UInt64

    /// Wraps a number.
    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// Whether only the side that opened the stream sends on it.
    public var isUnidirectional: Bool { self.rawValue & 2 != 0 }

    /// Whether the client opened the stream.
    public var isClientInitiated: Bool { self.rawValue & 1 == 0 }

    /// Whether `role` opened the stream.
    public func isInitiated(by role: WebTransportRole) -> Bool {
        self.isClientInitiated == (role == .client)
    }

    /// Orders by number.
    public static func < (left: StreamID, right: StreamID) -> Bool {
        left.rawValue < right.rawValue
    }
}

extension StreamID: CustomStringConvertible {
    /// The number.
    public var description: String { String(self.rawValue) }
}
