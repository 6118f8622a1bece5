// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// The message parameters of one message, whichever it is. The codec's only view of parameters; the messages of the
/// model take from it what is theirs.
struct ParameterSet {
    var objectDeliveryTimeout: UInt64?
    var subgroupDeliveryTimeout: UInt64?
    var maxCacheDuration: UInt64?
    var rendezvousTimeout: UInt64?
    var fillTimeout: UInt64?
    var expires: UInt64?
    var largestObject: Location?
    var forward: Bool?
    var subscriberPriority: UInt8?
    var groupOrder: GroupOrder?
    var filter: SubscriptionFilter?
    var newGroupRequest: UInt64?
    var namespacePrefix: TrackNamespace?
    var tokens: [AuthorizationToken] = []

    /// What a subscriber says about the delivery of a subscription.
    var subscription: SubscriptionParameters {
        get {
            SubscriptionParameters(
                subscriberPriority: self.subscriberPriority,
                groupOrder: self.groupOrder,
                forward: self.forward,
                filter: self.filter,
                objectDeliveryTimeout: self.objectDeliveryTimeout,
                subgroupDeliveryTimeout: self.subgroupDeliveryTimeout,
                newGroupRequest: self.newGroupRequest,
                rendezvousTimeout: self.rendezvousTimeout
            )
        }
        set {
            self.subscriberPriority = newValue.subscriberPriority
            self.groupOrder = newValue.groupOrder
            self.forward = newValue.forward
            self.filter = newValue.filter
            self.objectDeliveryTimeout = newValue.objectDeliveryTimeout
            self.subgroupDeliveryTimeout = newValue.subgroupDeliveryTimeout
            self.newGroupRequest = newValue.newGroupRequest
            self.rendezvousTimeout = newValue.rendezvousTimeout
        }
    }

    init() {
    }

    init(tokens: [AuthorizationToken]) {
        self.tokens = tokens
    }

    init(_ subscription: SubscriptionParameters, tokens: [AuthorizationToken] = []) {
        self.tokens = tokens
        self.subscription = subscription
    }
}

extension ParameterSet {
    /// Reads the count and the parameters of a message that has this scope (draft-18 §10.2, "Message Parameters").
    init(
        from reader: inout WireReader,
        scope: ParameterScope,
        profile: DraftProfile
    ) throws(MoQWireError) {
        let count = try reader.readInteger()
        // Each parameter takes a byte at least, so this bounds the loop by the frame.
        guard count <= UInt64(reader.remaining) else {
            throw .violation("there are more parameters than the message has room for")
        }
        var previous: UInt64 = 0
        var seen: UInt64 = 0
        for _ in 0..<Int(count) {
            let key = try reader.readInteger()
            var type = key
            if profile.coding.keys == .delta {
                let (sum, overflow) = previous.addingReportingOverflow(key)
                guard !overflow else {
                    throw .violation("the type of a parameter exceeds 64 bits")
                }
                type = sum
            }
            previous = type
            guard let row = profile.parameters.firstIndex(where: { $0.type == type }) else {
                guard profile.unknownParameter == .ignore else {
                    throw .violation("unknown message parameter")
                }
                try Self.skipPair(type: type, in: &reader)
                continue
            }
            let parameter = profile.parameters[row]
            let belongs = !parameter.scope.isDisjoint(with: scope)
            guard belongs || profile.misplacedParameter == .ignore else {
                throw .violation("a message parameter is in a message where it does not belong")
            }
            let bit: UInt64 = 1 << UInt64(row)
            guard parameter.repeatable || seen & bit == 0 else {
                throw .violation("a message parameter is repeated")
            }
            seen |= bit
            try self.read(parameter, from: &reader, profile: profile, keep: belongs)
        }
    }

    /// Passes over a pair that the draft does not define.
    private static func skipPair(type: UInt64, in reader: inout WireReader) throws(MoQWireError) {
        if type & 1 == 0 {
            _ = try reader.readInteger()
        } else {
            let length = try reader.readLength(limit: KeyValuePair.maximumValueLength)
            _ = reader.skip(length)
        }
    }

    private mutating func read(
        _ parameter: ParameterDescriptor,
        from reader: inout WireReader,
        profile: DraftProfile,
        keep: Bool
    ) throws(MoQWireError) {
        switch parameter.form {
        case .uint8, .varint:
            let value = parameter.form == .uint8 ? UInt64(try reader.readByte()) : try reader.readInteger()
            guard keep else {
                return
            }
            guard parameter.range.contains(value) else {
                throw MoQWireError(
                    code: .protocolViolation,
                    reason: "\(parameter.name.rawValue) is out of range"
                )
            }
            self.store(parameter.name, value)
        case .bare:
            // Of the parameters, only a location comes without a length in the drafts so far.
            self.largestObject = try reader.readLocation()
        case .lengthPrefixed:
            let length = try reader.readLength(
                limit: KeyValuePair.maximumValueLength,
                "the value of a parameter exceeds 65,535 bytes"
            )
            let content = try reader.readSlice(length)
            guard keep else {
                return
            }
            try self.store(parameter.name, content, profile: profile)
        }
    }

    private mutating func store(_ name: ParameterName, _ value: UInt64) {
        switch name {
        case .objectDeliveryTimeout: self.objectDeliveryTimeout = value
        case .maxCacheDuration: self.maxCacheDuration = value
        case .rendezvousTimeout: self.rendezvousTimeout = value
        case .subgroupDeliveryTimeout: self.subgroupDeliveryTimeout = value
        case .expires: self.expires = value
        case .fillTimeout: self.fillTimeout = value
        case .forward: self.forward = value == 1
        case .subscriberPriority: self.subscriberPriority = UInt8(truncatingIfNeeded: value)
        case .groupOrder: self.groupOrder = value == 2 ? .descending : .ascending
        case .newGroupRequest: self.newGroupRequest = value
        case .authorizationToken, .largestObject, .subscriptionFilter, .trackNamespacePrefix: break
        }
    }

    private mutating func store(
        _ name: ParameterName,
        _ content: consuming WireReader,
        profile: DraftProfile
    ) throws(MoQWireError) {
        switch name {
        case .authorizationToken:
            self.tokens.append(try AuthorizationToken(filling: content))
        case .largestObject:
            var content = content
            guard let group = content.nextInteger(), let object = content.nextInteger(), content.isAtEnd else {
                throw .malformedValue("LARGEST_OBJECT is not a location")
            }
            self.largestObject = Location(group: group, object: object)
        case .subscriptionFilter:
            self.filter = try SubscriptionFilter(filling: content, endGroupIsDelta: profile.filterEndGroupIsDelta)
        case .trackNamespacePrefix:
            var content = content
            self.namespacePrefix = try content.readNamespace(minimum: 0)
            guard content.isAtEnd else {
                throw .violation("TRACK_NAMESPACE_PREFIX is shorter than its length")
            }
        case .objectDeliveryTimeout, .maxCacheDuration, .rendezvousTimeout, .subgroupDeliveryTimeout, .expires,
            .fillTimeout, .forward,
            .subscriberPriority, .groupOrder, .newGroupRequest:
            break
        }
    }
}
