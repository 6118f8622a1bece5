// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// The properties of a track or of an object ("Extension Headers" up to draft 16; draft-18 §2.5, "Properties").
///
/// The list keeps the bytes as they came, so that a relay forwards what it does not know unchanged; they are read only
/// when somebody asks. Bytes say nothing without their ``coding``: the same list looks different in draft 16 and 18.
public struct PropertyList: Hashable, Sendable {
    /// The pairs as on the wire, without the length that precedes them in objects.
    public let bytes: [UInt8]
    /// How ``bytes`` are to be read. An empty list has the coding of draft 18, whatever it was made with.
    public let coding: KeyValueCoding

    /// The list without properties.
    @inlinable
    public init() {
        self.bytes = []
        self.coding = .draft18
    }

    /// Keeps bytes as they came from the wire. They are not looked at.
    public init(bytes: [UInt8], coding: KeyValueCoding) {
        self.bytes = bytes
        self.coding = bytes.isEmpty ? .draft18 : coding
    }

    /// Whether there are no properties.
    @inlinable
    public var isEmpty: Bool {
        self.bytes.isEmpty
    }
}
