// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Reads a subgroup stream as its bytes arrive, without keeping any of them (draft-18 §11.4.2, "Subgroup Header").
///
/// The owner of the stream calls ``next(in:)`` with the bytes it has, handles the event, drops what was consumed and calls
/// again, until the event is ``Event/needMore``. Then it keeps the rest — never more than a header — and presents it again
/// in front of the bytes that come next. Payload is never kept: each piece is an event of its own, however small.
public struct SubgroupStreamParser: Sendable {
    /// What the next bytes are.
    public enum Event: Hashable, Sendable {
        /// The header of the stream; always the first event.
        case header(SubgroupHeader)
        /// The header of an object. Its payload follows in ``payload(count:isLast:)`` events, none if it is empty.
        case object(ObjectHeader)
        /// The next `count` bytes, those that were consumed, are payload of the object; `isLast` when they complete it.
        case payload(count: Int, isLast: Bool)
        /// The bytes do not suffice for the next event. Nothing was consumed.
        case needMore
    }

    /// The longest properties of an object that are accepted, unless the owner wants another limit.
    public static let defaultPropertiesLimit = 65_536

    private enum State {
        case header
        case object
        case payload(remaining: UInt64)
    }

    private let rules: DataPlaneRules
    private let propertiesLimit: Int
    private var state: State = .header
    private var hasProperties = false
    private var previousObjectID: UInt64?

    /// Starts before the first byte of a stream.
    public init(profile: DraftProfile, propertiesLimit: Int = Self.defaultPropertiesLimit) {
        self.rules = profile.data
        self.propertiesLimit = max(0, propertiesLimit)
    }

    /// How much payload of the object that has begun is still to come; 0 between objects.
    public var remainingPayload: UInt64 {
        if case .payload(let remaining) = self.state { remaining } else { 0 }
    }

    /// Reads the next event from the start of `bytes`.
    ///
    /// - Returns: the event and how many bytes it took. The bytes of a payload event are the first `consumed` ones.
    /// - Throws: a violation to close the session with, or `limitExceeded` for properties beyond the limit. The parser must
    ///   not be used after that.
    public mutating func next(in bytes: RawSpan) throws(MoQWireError) -> (event: Event, consumed: Int) {
        switch self.state {
        case .header:
            return try self.header(in: bytes)
        case .object:
            return try self.object(in: bytes)
        case .payload(let remaining):
            guard bytes.byteCount > 0 else {
                return (.needMore, 0)
            }
            let count = Int(min(remaining, UInt64(bytes.byteCount)))
            let rest = remaining - UInt64(count)
            self.state = rest == 0 ? .object : .payload(remaining: rest)
            return (.payload(count: count, isLast: rest == 0), count)
        }
    }

    /// Judges the FIN of the stream, with `unread` bytes presented and not consumed.
    ///
    /// - Throws: a violation when the stream ends in the middle of its header or of an object.
    public func finish(unread: Int = 0) throws(MoQWireError) {
        guard case .object = self.state, unread == 0 else {
            throw .violation("a subgroup stream ends in the middle of an object")
        }
    }

    private mutating func header(in bytes: RawSpan) throws(MoQWireError) -> (event: Event, consumed: Int) {
        var reader = WireReader(bytes, integers: self.rules.coding.integers)
        guard let type = reader.nextInteger() else {
            return (.needMore, 0)
        }
        guard SubgroupTypeBits.isValid(type, in: self.rules) else {
            throw .violation("invalid type of subgroup stream")
        }
        guard let alias = reader.nextInteger(), let group = reader.nextInteger() else {
            return (.needMore, 0)
        }
        var header = SubgroupHeader(trackAlias: TrackAlias(alias), groupID: group)
        switch type & SubgroupTypeBits.subgroupIDMode {
        case 0x02:
            header.subgroupID = .firstObject
        case 0x04:
            guard let subgroup = reader.nextInteger() else {
                return (.needMore, 0)
            }
            header.subgroupID = .explicit(subgroup)
        default:
            header.subgroupID = .zero
        }
        if type & SubgroupTypeBits.defaultPriority == 0 {
            guard let priority = reader.nextByte() else {
                return (.needMore, 0)
            }
            header.publisherPriority = priority
        }
        header.hasProperties = type & SubgroupTypeBits.properties != 0
        header.containsEndOfGroup = type & SubgroupTypeBits.endOfGroup != 0
        header.isFirstObject = type & SubgroupTypeBits.firstObject != 0
        self.hasProperties = header.hasProperties
        self.state = .object
        return (.header(header), reader.offset)
    }

    private mutating func object(in bytes: RawSpan) throws(MoQWireError) -> (event: Event, consumed: Int) {
        var reader = WireReader(bytes, integers: self.rules.coding.integers)
        guard let delta = reader.nextInteger() else {
            return (.needMore, 0)
        }
        let objectID = try self.objectID(after: delta)
        var header = ObjectHeader(objectID: objectID, payloadLength: 0)
        if self.hasProperties {
            guard let length = reader.nextInteger() else {
                return (.needMore, 0)
            }
            if length > 0 {
                guard length <= UInt64(self.propertiesLimit) else {
                    throw .limitExceeded("the properties of an object are too long")
                }
                guard length <= UInt64(reader.remaining) else {
                    return (.needMore, 0)
                }
                header.properties = try PropertyList(
                    validating: try reader.readSlice(Int(length)),
                    coding: self.rules.coding
                )
            }
        }
        guard let payloadLength = reader.nextInteger() else {
            return (.needMore, 0)
        }
        header.payloadLength = payloadLength
        if payloadLength == 0 {
            guard let number = reader.nextInteger() else {
                return (.needMore, 0)
            }
            header.status = try ObjectStatus(
                wireValue: number,
                hasProperties: !header.properties.isEmpty,
                in: self.rules
            )
        }
        self.previousObjectID = objectID
        self.state = payloadLength == 0 ? .object : .payload(remaining: payloadLength)
        return (.object(header), reader.offset)
    }

    private func objectID(after delta: UInt64) throws(MoQWireError) -> UInt64 {
        guard let previous = self.previousObjectID else {
            return delta
        }
        let (sum, overflow) = previous.addingReportingOverflow(delta)
        guard !overflow, sum < UInt64.max else {
            throw .violation("an object id exceeds 64 bits")
        }
        return sum + 1
    }
}

extension ObjectStatus {
    /// Takes a status from the wire (draft-18 §11.2.1.1).
    init(wireValue: UInt64, hasProperties: Bool, in rules: DataPlaneRules) throws(MoQWireError) {
        guard let byte = UInt8(exactly: wireValue), let status = ObjectStatus(rawValue: byte),
            status.isKnown(in: rules)
        else {
            throw .violation("unknown object status")
        }
        guard !hasProperties || status.allowsProperties(in: rules) else {
            throw .violation("an object that is not normal has properties")
        }
        self = status
    }

    /// Whether an object of this status may have properties in a draft with these rules.
    func allowsProperties(in rules: DataPlaneRules) -> Bool {
        switch self {
        case .normal: true
        case .doesNotExist: false
        case .endOfGroup, .endOfTrack: rules.objectsMayBeMissing
        }
    }

    /// Whether a draft with these rules has the status.
    func isKnown(in rules: DataPlaneRules) -> Bool {
        self != .doesNotExist || rules.objectsMayBeMissing
    }
}

extension PropertyList {
    /// Copies what the reader holds, after checking that it is a sequence of pairs. Their meaning is not looked at.
    init(validating reader: consuming WireReader, coding: KeyValueCoding) throws(MoQWireError) {
        var copy = reader
        let bytes = copy.readRest()
        try PropertyList.validate(bytes, coding: coding)
        self.init(bytes: bytes, coding: coding)
    }

    private static func validate(_ bytes: [UInt8], coding: KeyValueCoding) throws(MoQWireError) {
        var walker = unsafe KeyValueReader(
            WireReader(bytes.span.bytes, integers: coding.integers),
            keys: coding.keys
        )
        try walker.validate()
    }
}
