// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Writes the headers of a fetch stream (draft-18 §11.4.4, "Fetch Header"), leaving out what follows from the object
/// before. The payload is written by the owner of the stream, after the header of its object.
public struct FetchStreamEncoder: Sendable {
    /// The most bytes that the header of an object takes, without its properties.
    public static let maximumObjectHeaderLength = 6 * WireWriter.maximumIntegerLength + 1

    private let rules: DataPlaneRules
    private let groupOrder: GroupOrder
    private var prior = FetchPrior()

    /// Starts before the first byte of a stream that answers a request with this group order.
    public init(profile: DraftProfile, groupOrder: GroupOrder) {
        self.rules = profile.data
        self.groupOrder = groupOrder
    }

    /// Appends the header of the stream, which comes before everything else.
    public func encode(requestID: RequestID, into bytes: inout [UInt8]) throws(MoQWireError) {
        try WireWriter.append(to: &bytes, integers: self.rules.coding.integers) { writer throws(MoQWireError) in
            try writer.write(integer: 0x05)
            try writer.write(integer: requestID.rawValue)
        }
    }

    /// Appends the header of the next object.
    ///
    /// - Throws: when the object does not come after the one before in the order of the request, or a number does not fit.
    public mutating func encode(_ object: FetchObjectHeader, into bytes: inout [UInt8]) throws(MoQWireError) {
        guard !self.rules.fetchObjectsAreComplete else {
            return try self.encodeComplete(object, into: &bytes)
        }
        guard object.status == .normal else {
            throw .notExpressible("the objects of a fetch are all normal in this draft")
        }
        var flags: UInt64 = 0
        let group = try self.groupField(for: object.location)
        let objectField = self.objectField(for: object.location)
        if group != nil {
            flags |= FetchFlags.groupID
        }
        if objectField != nil {
            flags |= FetchFlags.objectID
        }
        var subgroupField: UInt64?
        if let subgroupID = object.subgroupID {
            let mode = self.subgroupMode(for: subgroupID)
            flags |= mode
            subgroupField = mode == 3 ? subgroupID : nil
        } else {
            flags |= FetchFlags.datagram
        }
        let hasPriority = self.prior.publisherPriority != object.publisherPriority
        if hasPriority {
            flags |= FetchFlags.priority
        }
        if !object.properties.isEmpty {
            flags |= FetchFlags.properties
        }
        let coding = self.rules.coding
        try WireWriter.append(to: &bytes, integers: coding.integers) { writer throws(MoQWireError) in
            try writer.write(integer: flags)
            for field in [group, subgroupField, objectField] {
                if let field {
                    try writer.write(integer: field)
                }
            }
            if hasPriority {
                writer.write(byte: object.publisherPriority)
            }
            if !object.properties.isEmpty {
                try writer.write(prefixed: try object.properties.transcoded(to: coding).bytes)
            }
            try writer.write(integer: object.payloadLength)
        }
        self.prior.location = object.location
        self.prior.publisherPriority = object.publisherPriority
        // Whether a datagram hands on the subgroup of the object before it is not said, so nothing refers to it.
        self.prior.subgroupID = object.subgroupID
    }

    /// Appends an object with all its fields (draft-14 §10.4.4). One that was a datagram has its own id as its subgroup.
    private mutating func encodeComplete(
        _ object: FetchObjectHeader,
        into bytes: inout [UInt8]
    ) throws(MoQWireError) {
        _ = try self.groupField(for: object.location)
        guard object.status == .normal || object.payloadLength == 0,
            object.properties.isEmpty || object.status.allowsProperties(in: self.rules)
        else {
            throw .notExpressible(
                "an object that is not normal has no payload, and one that does not exist no properties"
            )
        }
        let coding = self.rules.coding
        try WireWriter.append(to: &bytes, integers: coding.integers) { writer throws(MoQWireError) in
            try writer.write(integer: object.location.group)
            try writer.write(integer: object.subgroupID ?? object.location.object)
            try writer.write(integer: object.location.object)
            writer.write(byte: object.publisherPriority)
            try writer.write(prefixed: try object.properties.transcoded(to: coding).bytes)
            try writer.write(integer: object.payloadLength)
            if object.payloadLength == 0 {
                try writer.write(integer: UInt64(object.status.rawValue))
            }
        }
        self.prior.location = object.location
    }

    /// Appends the end of a range that is left out: everything up to and including this location.
    public mutating func encode(
        endOfRange gap: FetchGap,
        at location: Location,
        into bytes: inout [UInt8]
    ) throws(MoQWireError) {
        guard !self.rules.fetchObjectsAreComplete else {
            throw .notExpressible("what is left out of a fetch does not exist in this draft, and is not said")
        }
        try WireWriter.append(to: &bytes, integers: self.rules.coding.integers) { writer throws(MoQWireError) in
            try writer.write(integer: gap.rawValue)
            try writer.write(location)
        }
        // Only draft 18 says what "prior" means after a marker, and not all peers follow it: the next object spells
        // everything out, apart from its distance to the marker where ids are distances.
        self.prior = FetchPrior(location: self.rules.fetchIDsAreDeltas ? location : nil)
    }

    /// The group field, or nil when the group is that of the object before.
    private func groupField(for location: Location) throws(MoQWireError) -> UInt64? {
        guard let prior = self.prior.location else {
            return location.group
        }
        if location.group == prior.group {
            guard location.object > prior.object else {
                throw .notExpressible("the object ids within a group of a fetch must ascend")
            }
            return nil
        }
        guard (location.group > prior.group) == (self.groupOrder == .ascending) else {
            throw .notExpressible("the groups of a fetch must follow its group order")
        }
        guard self.rules.fetchIDsAreDeltas else {
            return location.group
        }
        return self.groupOrder == .ascending
            ? location.group - prior.group - 1
            : prior.group - location.group - 1
    }

    /// The object field, or nil when the object id is the one before plus one.
    private func objectField(for location: Location) -> UInt64? {
        guard let prior = self.prior.location else {
            return location.object
        }
        if prior.object < UInt64.max, location.object == prior.object + 1 {
            return nil
        }
        let isDelta = self.rules.fetchIDsAreDeltas && location.group == prior.group
        return isDelta ? location.object &- prior.object : location.object
    }

    private func subgroupMode(for subgroupID: UInt64) -> UInt64 {
        guard subgroupID != 0 else {
            return 0
        }
        guard let prior = self.prior.subgroupID else {
            return 3
        }
        if prior == subgroupID {
            return 1
        }
        return subgroupID - 1 == prior ? 2 : 3
    }
}
