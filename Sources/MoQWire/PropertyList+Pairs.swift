// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

extension PropertyList {
    /// Makes a list of pairs. They are put in the order of their types where the coding demands it.
    ///
    /// - Throws: when an integer does not fit into the coding.
    public init(_ pairs: [KeyValuePair], coding: KeyValueCoding = .draft18) throws(MoQWireError) {
        var writer = WireWriter(integers: coding.integers)
        try writer.write(pairs: pairs, keys: coding.keys)
        self.init(bytes: writer.bytes, coding: coding)
    }

    /// Reads all pairs of the list itself, without those inside of IMMUTABLE.
    ///
    /// - Throws: a violation when the bytes are not a sequence of pairs. Lists that come from ``MessageCodec`` or from a
    ///   stream parser have been checked.
    public func pairs() throws(MoQWireError) -> [KeyValuePair] {
        var result: [KeyValuePair] = []
        var walker = KeyValueReader(WireReader(self.span, integers: self.coding.integers), keys: self.coding.keys)
        while !walker.isAtEnd {
            result.append(try walker.nextPair())
        }
        return result
    }

    /// The integer of the first property of this (even) type, in the list or inside of IMMUTABLE; nil when there is none.
    public func integer(_ type: UInt64) -> UInt64? {
        guard type & 1 == 0 else {
            return nil
        }
        return self.first(type)?.integer ?? self.immutable?.first(type)?.integer
    }

    /// The bytes of the first property of this (odd) type, in the list or inside of IMMUTABLE; nil when there is none.
    public func bytes(_ type: UInt64) -> [UInt8]? {
        guard type & 1 == 1 else {
            return nil
        }
        return self.first(type)?.bytes ?? (type == PropertyType.immutable ? nil : self.immutable?.first(type)?.bytes)
    }

    /// The list inside of IMMUTABLE, or nil when there is none. Its bytes have not been checked, and a list inside of it
    /// is not looked for: both make the track malformed, see ``immutableIsMalformed``.
    public var immutable: PropertyList? {
        self.first(PropertyType.immutable)?.bytes.map { PropertyList(bytes: $0, coding: self.coding) }
    }

    /// Looks for the first property of a type in the list itself. Only a value of bytes is copied.
    private func first(_ type: UInt64) -> (integer: UInt64?, bytes: [UInt8]?)? {
        guard !self.isEmpty else {
            return nil
        }
        var walker = KeyValueReader(WireReader(self.span, integers: self.coding.integers), keys: self.coding.keys)
        while !walker.isAtEnd {
            guard let head = try? walker.nextHead() else {
                return nil
            }
            if head.type == type {
                return head.isBytes ? (nil, walker.reader.nextBytes(head.length)) : (head.integer, nil)
            }
            _ = walker.reader.skip(head.length)
        }
        return nil
    }

    /// Whether the track must be treated as malformed because of IMMUTABLE: it is there twice, cannot be read, or has
    /// another IMMUTABLE inside (draft-18 §12.7, "Immutable Properties").
    public var immutableIsMalformed: Bool {
        guard let pairs = try? self.pairs() else {
            return true
        }
        let found = pairs.filter { $0.type == PropertyType.immutable }
        guard let first = found.first else {
            return false
        }
        guard found.count == 1, case .bytes(let value) = first.value,
            let inner = try? PropertyList(bytes: value, coding: self.coding).pairs()
        else {
            return true
        }
        return inner.contains { $0.type == PropertyType.immutable }
    }

    /// The same properties in another coding. Bytes of IMMUTABLE stay as they are, as the drafts demand.
    ///
    /// - Throws: when the bytes are not a sequence of pairs, or an integer does not fit into the coding.
    public func transcoded(to coding: KeyValueCoding) throws(MoQWireError) -> PropertyList {
        guard !self.isEmpty, coding != self.coding else {
            return self
        }
        return try PropertyList(self.pairs(), coding: coding)
    }

    /// The default priority of the publisher; nil when the list has none that is valid.
    public var defaultPublisherPriority: UInt8? {
        self.integer(PropertyType.defaultPublisherPriority).flatMap { UInt8(exactly: $0) }
    }

    /// The group order that the publisher prefers; nil when the list has none.
    public var defaultPublisherGroupOrder: GroupOrder? {
        self.integer(PropertyType.defaultPublisherGroupOrder)
            .flatMap { UInt8(exactly: $0) }
            .flatMap { GroupOrder(rawValue: $0) }
    }

    /// Whether subscribers may ask for a new group.
    public var allowsDynamicGroups: Bool {
        self.integer(PropertyType.dynamicGroups) == 1
    }

    /// The properties that must be understood to handle the track.
    public var mandatoryTypes: [UInt64] {
        ((try? self.pairs()) ?? []).map(\.type).filter { PropertyType.mandatory.contains($0) }
    }

    var span: RawSpan {
        @_lifetime(borrow self)
        get { unsafe self.bytes.span.bytes }
    }
}

extension PropertyList {
    /// Checks the properties of a track as far as a codec can: that they are pairs, and that the values that are an
    /// error of the session when wrong are right, also those inside of IMMUTABLE.
    func validateAsTrackProperties(in profile: DraftProfile) throws(MoQWireError) {
        guard !self.isEmpty else {
            return
        }
        for pair in try self.pairs() {
            switch pair.value {
            case .integer(let value):
                try Self.validate(type: pair.type, value: value, in: profile)
            case .bytes(let bytes):
                guard pair.type == PropertyType.immutable else {
                    continue
                }
                // Pairs in there that cannot be read make the track malformed, which is not an error of the session.
                for inner in (try? PropertyList(bytes: bytes, coding: self.coding).pairs()) ?? [] {
                    if case .integer(let value) = inner.value {
                        try Self.validate(type: inner.type, value: value, in: profile)
                    }
                }
            }
        }
    }

    private static func validate(type: UInt64, value: UInt64, in profile: DraftProfile) throws(MoQWireError) {
        switch type {
        case PropertyType.defaultPublisherGroupOrder where value != 1 && value != 2:
            throw .violation("DEFAULT_PUBLISHER_GROUP_ORDER is neither 1 nor 2")
        case PropertyType.dynamicGroups where value > 1:
            throw .violation("DYNAMIC_GROUPS is neither 0 nor 1")
        case PropertyType.objectDeliveryTimeout where value == 0 && !profile.zeroDeliveryTimeoutIsAllowed:
            throw .violation("DELIVERY_TIMEOUT is 0")
        default:
            break
        }
    }
}
