// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// One row of a draft's table of control messages.
public struct MessageDescriptor: Sendable {
    /// The type number on the wire.
    public var type: UInt64
    /// The message.
    public var kind: MessageKind
    /// Where the message may appear.
    public var places: StreamPlaces

    /// Makes a row.
    public init(_ type: UInt64, _ kind: MessageKind, _ places: StreamPlaces) {
        self.type = type
        self.kind = kind
        self.places = places
    }
}
