// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// The number that stands for a track on data streams and in datagrams (draft-18 §11.1, "Track Alias").
///
/// The publisher chooses it and announces it in SUBSCRIBE_OK or PUBLISH.
public struct TrackAlias: RawRepresentable, Hashable, Sendable {
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
}

extension TrackAlias: CustomStringConvertible {
    /// The number.
    public var description: String {
        "\(self.rawValue)"
    }
}
