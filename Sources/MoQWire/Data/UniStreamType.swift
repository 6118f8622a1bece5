// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What a unidirectional stream carries; its first bytes say it (draft-18 §3.4, "Unidirectional Stream Types").
public enum UniStreamType: Hashable, Sendable {
    /// Control messages, SETUP first (draft 18 and later). Read it with ``MessageCodec`` from its first byte on: the type
    /// of the stream is the type of that message.
    case control
    /// Objects of a subgroup. Read it with ``SubgroupStreamParser`` from its first byte on.
    case subgroup
    /// The answer to a FETCH. Read it with ``FetchStreamParser`` from its first byte on.
    case fetch
    /// Nothing of interest (draft 18 and later): read and discard it.
    case padding

    /// The most bytes that ``decode(_:in:)`` needs to see.
    public static let maximumLength = WireWriter.maximumIntegerLength

    /// Finds out the type of a stream from its first bytes, which stay where they are.
    ///
    /// - Returns: the type, or nil when the bytes do not suffice.
    /// - Throws: a violation when the draft has no such type; the session must be closed.
    public static func decode(_ bytes: RawSpan, in profile: DraftProfile) throws(MoQWireError) -> UniStreamType? {
        let rules = profile.data
        var reader = WireReader(bytes, integers: rules.coding.integers)
        guard let type = reader.nextInteger() else {
            return nil
        }
        switch type {
        case 0x05:
            return .fetch
        case 0x2F00 where rules.hasUnidirectionalControl:
            return .control
        case 0x132B_3E28 where rules.hasPadding:
            return .padding
        default:
            guard SubgroupTypeBits.isValid(type, in: rules) else {
                throw MoQWireError(code: .protocolViolation, reason: "unknown type of unidirectional stream \(type)")
            }
            return .subgroup
        }
    }
}

/// The bits in the type of a subgroup stream (draft-18 §11.4.2).
enum SubgroupTypeBits {
    static let properties: UInt64 = 0x01
    static let subgroupIDMode: UInt64 = 0x06
    static let endOfGroup: UInt64 = 0x08
    static let base: UInt64 = 0x10
    static let defaultPriority: UInt64 = 0x20
    static let firstObject: UInt64 = 0x40

    /// Whether the draft has such a type.
    static func isValid(_ type: UInt64, in rules: DataPlaneRules) -> Bool {
        type & base != 0 && type & ~(base | rules.subgroupTypeBits) == 0 && type & subgroupIDMode != subgroupIDMode
    }
}
