// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Names one request of one session (draft-18 §10.1, "Request ID").
///
/// Ids that the client gave out are even, those of the server are odd.
public struct RequestID: RawRepresentable, Hashable, Comparable, Sendable {
    /// The number on the wire.
    public var rawValue: UInt64

    /// Wraps the number on the wire.
    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// Wraps the number on the wire.
    public init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// Who gave this id out: its lowest bit says so.
    public var issuer: Role {
        self.rawValue & 1 == 0 ? .client : .server
    }

    /// Orders by number.
    public static func < (lhs: RequestID, rhs: RequestID) -> Bool {
        lhs.rawValue < rhs.rawValue
    }
}

extension RequestID: CustomStringConvertible {
    /// The number.
    public var description: String {
        "\(self.rawValue)"
    }
}
