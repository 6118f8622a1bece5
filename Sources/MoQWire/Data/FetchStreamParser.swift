// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Reads a fetch stream as its bytes arrive, without keeping any of them (draft-18 §11.4.4, "Fetch Header").
///
/// It is used like ``SubgroupStreamParser``. After the header, and before the first object, the owner must set
/// ``groupOrder`` to that of the request: from draft 18 on the ids of the groups cannot be read without it.
public struct FetchStreamParser: Sendable {
    /// What the next bytes are.
    public enum Event: Hashable, Sendable {
        /// The header of the stream; always the first event.
        case header(RequestID)
        /// The header of an object. Its payload follows in ``payload(count:isLast:)`` events, none if it is empty.
        case object(FetchObjectHeader)
        /// Everything after the object before, up to this location, is left out.
        case endOfRange(FetchGap, Location)
        /// The next `count` bytes, those that were consumed, are payload of the object; `isLast` when they complete it.
        case payload(count: Int, isLast: Bool)
        /// The bytes do not suffice for the next event. Nothing was consumed.
        case needMore
    }

    private enum State {
        case header
        case object
        case payload(remaining: UInt64)
    }

    /// The order of the groups on the stream.
    public var groupOrder: GroupOrder = .ascending
    /// Whether an object status follows a payload length of 0. The drafts say no; some peers write one nevertheless.
    public var emptyObjectsCarryStatus = false

    private let rules: DataPlaneRules
    private let propertiesLimit: Int
    private var state: State = .header
    private var prior = FetchPrior()

    /// Starts before the first byte of a stream.
    public init(profile: DraftProfile, propertiesLimit: Int = SubgroupStreamParser.defaultPropertiesLimit) {
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
        var reader = WireReader(bytes, integers: self.rules.coding.integers)
        switch self.state {
        case .header:
            guard let type = reader.nextInteger() else {
                return (.needMore, 0)
            }
            guard type == 0x05 else {
                throw .violation("invalid type of fetch stream")
            }
            guard let id = reader.nextInteger() else {
                return (.needMore, 0)
            }
            self.state = .object
            return (.header(RequestID(id)), reader.offset)
        case .object:
            guard let event = try self.object(from: &reader) else {
                return (.needMore, 0)
            }
            return (event, reader.offset)
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
            throw .violation("a fetch stream ends in the middle of an object")
        }
    }

    /// Reads an object or an end of a range; nil when the bytes do not suffice.
    private mutating func object(from reader: inout WireReader) throws(MoQWireError) -> Event? {
        guard !self.rules.fetchObjectsAreComplete else {
            return try self.completeObject(from: &reader)
        }
        guard let flags = reader.nextInteger() else {
            return nil
        }
        if let gap = FetchGap(rawValue: flags) {
            guard let group = reader.nextInteger(), let object = reader.nextInteger() else {
                return nil
            }
            let location = Location(group: group, object: object)
            self.prior.location = location
            return .endOfRange(gap, location)
        }
        guard flags < FetchFlags.limit else {
            throw .violation("unknown serialization flags of a fetch object")
        }
        try self.checkReferences(of: flags)
        var fields = Fields()
        guard try self.read(&fields, flags: flags, from: &reader) else {
            return nil
        }
        let location = try self.location(group: fields.group, object: fields.object)
        let subgroupID = try self.subgroupID(flags: flags, field: fields.subgroup)
        let priority = fields.priority ?? self.prior.publisherPriority ?? 128
        self.prior.location = location
        self.prior.publisherPriority = priority
        // A datagram has no subgroup (draft-18 §11.4.4.1). What refers to the subgroup of one is not said; those who write such
        // references count it as 0.
        self.prior.subgroupID = subgroupID ?? 0
        self.state = fields.payloadLength == 0 ? .object : .payload(remaining: fields.payloadLength)
        return .object(
            FetchObjectHeader(
                location: location,
                subgroupID: subgroupID,
                publisherPriority: priority,
                properties: fields.properties,
                payloadLength: fields.payloadLength
            )
        )
    }

    /// Reads an object that has all its fields (draft-14 §10.4.4); nil when the bytes do not suffice.
    private mutating func completeObject(from reader: inout WireReader) throws(MoQWireError) -> Event? {
        guard let group = reader.nextInteger(), let subgroup = reader.nextInteger(), let object = reader.nextInteger(),
            let priority = reader.nextByte(), let length = reader.nextInteger()
        else {
            return nil
        }
        guard length <= UInt64(self.propertiesLimit) else {
            throw .limitExceeded("the properties of an object are too long")
        }
        guard length <= UInt64(reader.remaining) else {
            return nil
        }
        let properties = try PropertyList(
            validating: try reader.readSlice(Int(length)),
            coding: self.rules.coding
        )
        guard let payloadLength = reader.nextInteger() else {
            return nil
        }
        var header = FetchObjectHeader(
            location: Location(group: group, object: object),
            subgroupID: subgroup,
            publisherPriority: priority,
            properties: properties,
            payloadLength: payloadLength
        )
        if payloadLength == 0 {
            guard let status = reader.nextInteger() else {
                return nil
            }
            header.status = try ObjectStatus(
                wireValue: status,
                hasProperties: !properties.isEmpty,
                in: self.rules
            )
        }
        self.state = payloadLength == 0 ? .object : .payload(remaining: payloadLength)
        return .object(header)
    }

    /// The fields of an object as they are on the wire.
    private struct Fields {
        var group: UInt64?
        var subgroup: UInt64?
        var object: UInt64?
        var priority: UInt8?
        var properties = PropertyList()
        var payloadLength: UInt64 = 0
    }

    /// Refuses flags that refer to an object where there was none.
    private func checkReferences(of flags: UInt64) throws(MoQWireError) {
        let hasLocation = self.prior.location != nil
        let mode = flags & FetchFlags.subgroupMode
        let refersToSubgroup = flags & FetchFlags.datagram == 0 && (mode == 1 || mode == 2)
        guard hasLocation || (flags & FetchFlags.groupID != 0 && flags & FetchFlags.objectID != 0),
            self.prior.subgroupID != nil || !refersToSubgroup,
            self.prior.publisherPriority != nil || flags & FetchFlags.priority != 0
        else {
            throw .violation("a fetch object refers to an object that was not sent")
        }
    }

    /// Reads the fields. Returns false when the bytes do not suffice.
    private func read(
        _ fields: inout Fields,
        flags: UInt64,
        from reader: inout WireReader
    ) throws(MoQWireError) -> Bool {
        if flags & FetchFlags.groupID != 0 {
            guard let group = reader.nextInteger() else {
                return false
            }
            fields.group = group
        }
        if flags & FetchFlags.datagram == 0, flags & FetchFlags.subgroupMode == 3 {
            guard let subgroup = reader.nextInteger() else {
                return false
            }
            fields.subgroup = subgroup
        }
        if flags & FetchFlags.objectID != 0 {
            guard let object = reader.nextInteger() else {
                return false
            }
            fields.object = object
        }
        if flags & FetchFlags.priority != 0 {
            guard let priority = reader.nextByte() else {
                return false
            }
            fields.priority = priority
        }
        if flags & FetchFlags.properties != 0 {
            guard let length = reader.nextInteger() else {
                return false
            }
            guard length <= UInt64(self.propertiesLimit) else {
                throw .limitExceeded("the properties of an object are too long")
            }
            guard length <= UInt64(reader.remaining) else {
                return false
            }
            fields.properties = try PropertyList(
                validating: try reader.readSlice(Int(length)),
                coding: self.rules.coding
            )
        }
        guard let payloadLength = reader.nextInteger() else {
            return false
        }
        fields.payloadLength = payloadLength
        if payloadLength == 0, self.emptyObjectsCarryStatus {
            guard let status = reader.nextInteger() else {
                return false
            }
            _ = try ObjectStatus(wireValue: status, hasProperties: !fields.properties.isEmpty, in: self.rules)
        }
        return true
    }

    private func location(group: UInt64?, object: UInt64?) throws(MoQWireError) -> Location {
        guard let prior = self.prior.location else {
            return Location(group: group ?? 0, object: object ?? 0)
        }
        let next = prior.object.addingReportingOverflow(1)
        guard self.rules.fetchIDsAreDeltas else {
            guard object != nil || !next.overflow else {
                throw .violation("an object id exceeds 64 bits")
            }
            return Location(group: group ?? prior.group, object: object ?? next.partialValue)
        }
        var result = prior
        var overflow = false
        if let group {
            let distance = group.addingReportingOverflow(1)
            let moved =
                self.groupOrder == .ascending
                ? prior.group.addingReportingOverflow(distance.partialValue)
                : prior.group.subtractingReportingOverflow(distance.partialValue)
            overflow = distance.overflow || moved.overflow
            result.group = moved.partialValue
        }
        switch (group, object) {
        case (_?, let object?):
            result.object = object
        case (nil, let delta?):
            let sum = prior.object.addingReportingOverflow(delta)
            overflow = overflow || sum.overflow
            result.object = sum.partialValue
        case (_, nil):
            overflow = overflow || next.overflow
            result.object = next.partialValue
        }
        guard !overflow else {
            throw .violation("the location of a fetch object is not within 64 bits")
        }
        return result
    }

    private func subgroupID(flags: UInt64, field: UInt64?) throws(MoQWireError) -> UInt64? {
        guard flags & FetchFlags.datagram == 0 else {
            return nil
        }
        switch flags & FetchFlags.subgroupMode {
        case 0:
            return 0
        case 1:
            return self.prior.subgroupID
        case 2:
            let (sum, overflow) = (self.prior.subgroupID ?? 0).addingReportingOverflow(1)
            guard !overflow else {
                throw .violation("a subgroup id exceeds 64 bits")
            }
            return sum
        default:
            return field
        }
    }
}
