// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

extension ParameterSet {
    /// A parameter as it will be written.
    private enum Value {
        case integer(UInt64)
        case content([UInt8])
        case location(Location)
    }

    /// Appends the count and the parameters for a message that has this scope.
    ///
    /// - Throws: when the draft has no such parameter, or not in this message, or not with this value.
    func encode(
        into writer: inout WireWriter,
        scope: ParameterScope,
        profile: DraftProfile
    ) throws(MoQWireError) {
        var rows: [(ParameterDescriptor, Value)] = []
        for (name, value) in try self.values(in: profile) {
            guard let row = profile.parameters.first(where: { $0.name == name }) else {
                throw .notExpressible("\(profile) has no parameter \(name.rawValue)")
            }
            guard !row.scope.isDisjoint(with: scope) else {
                throw .notExpressible("\(profile) has no parameter \(name.rawValue) in this message")
            }
            if case .integer(let number) = value, !row.range.contains(number) {
                throw .notExpressible("\(number) is out of range for \(name.rawValue) in \(profile)")
            }
            rows.append((row, value))
        }
        // The sort is by type alone; tokens, the only ones that repeat, are adjacent and keep their order.
        let sorted = rows.enumerated().sorted {
            ($0.element.0.type, $0.offset) < ($1.element.0.type, $1.offset)
        }
        try writer.write(integer: UInt64(sorted.count))
        var previous: UInt64 = 0
        for (_, (row, value)) in sorted {
            try writer.write(integer: profile.coding.keys == .delta ? row.type - previous : row.type)
            previous = row.type
            try Self.write(value, form: row.form, into: &writer)
        }
    }

    private static func write(
        _ value: Value,
        form: ParameterForm,
        into writer: inout WireWriter
    ) throws(MoQWireError) {
        switch (value, form) {
        case (.integer(let number), .uint8):
            writer.write(byte: UInt8(truncatingIfNeeded: number))
        case (.integer(let number), _):
            try writer.write(integer: number)
        case (.location(let location), .lengthPrefixed):
            var content = WireWriter(integers: writer.integers)
            try content.write(location)
            try writer.write(prefixed: content.bytes)
        case (.location(let location), _):
            try writer.write(location)
        case (.content(let bytes), .lengthPrefixed):
            try writer.write(prefixed: bytes)
        case (.content(let bytes), _):
            writer.write(bytes: bytes)
        }
    }

    /// What is present, in no particular order.
    private func values(in profile: DraftProfile) throws(MoQWireError) -> [(ParameterName, Value)] {
        var values: [(ParameterName, Value)] = []
        func add(_ name: ParameterName, _ value: UInt64?) {
            if let value {
                values.append((name, .integer(value)))
            }
        }
        add(.objectDeliveryTimeout, self.objectDeliveryTimeout)
        add(.subgroupDeliveryTimeout, self.subgroupDeliveryTimeout)
        add(.maxCacheDuration, self.maxCacheDuration)
        add(.rendezvousTimeout, self.rendezvousTimeout)
        add(.fillTimeout, self.fillTimeout)
        add(.expires, self.expires)
        add(.forward, self.forward.map { $0 ? 1 : 0 })
        add(.subscriberPriority, self.subscriberPriority.map { UInt64($0) })
        add(.groupOrder, self.groupOrder.map { UInt64($0.rawValue) })
        add(.newGroupRequest, self.newGroupRequest)
        if let largestObject = self.largestObject {
            values.append((.largestObject, .location(largestObject)))
        }
        let integers = profile.coding.integers
        if let filter = self.filter {
            let bytes = try filter.encoded(integers: integers, endGroupIsDelta: profile.filterEndGroupIsDelta)
            values.append((.subscriptionFilter, .content(bytes)))
        }
        if let namespacePrefix = self.namespacePrefix {
            var writer = WireWriter(integers: integers)
            try writer.write(namespacePrefix)
            values.append((.trackNamespacePrefix, .content(writer.bytes)))
        }
        for token in self.tokens {
            values.append((.authorizationToken, .content(try token.encoded(integers: integers))))
        }
        return values
    }
}
