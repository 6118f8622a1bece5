// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// The side of the QUIC connection that an endpoint is on.
public enum Role: Hashable, Sendable {
    /// The side that opened the connection. Its request ids are even.
    case client
    /// The side that accepted the connection. Its request ids are odd.
    case server

    /// The other side.
    public var peer: Role {
        self == .client ? .server : .client
    }
}
