// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQWire

/// The JSON form of message parameters, by the names that the draft has for them.
struct ParameterFields {
    private let profile: DraftProfile
    private(set) var object = JSONObject()

    init(in profile: DraftProfile) {
        self.profile = profile
    }

    /// Adds what a subscriber says about delivery. In draft 14 most of it stands in fields.
    mutating func add(_ parameters: SubscriptionParameters) {
        self.add(.objectDeliveryTimeout, parameters.objectDeliveryTimeout)
        self.add(.subgroupDeliveryTimeout, parameters.subgroupDeliveryTimeout)
        self.add(.rendezvousTimeout, parameters.rendezvousTimeout)
        if self.profile.messageForm == .parameters {
            self.add(forward: parameters.forward)
            self.add(.subscriberPriority, parameters.subscriberPriority.map { UInt64($0) })
            self.add(.groupOrder, parameters.groupOrder.map { UInt64($0.rawValue) })
            if let filter = parameters.filter {
                var fields = JSONObject()
                fields.add(filter, in: self.profile)
                self.object.add(self.name(of: .subscriptionFilter), .object(fields))
            }
        }
        self.add(.newGroupRequest, parameters.newGroupRequest)
    }

    /// Adds tokens, if there are any.
    mutating func add(_ tokens: [AuthorizationToken]) {
        if !tokens.isEmpty {
            self.object.add(self.name(of: .authorizationToken), .array(tokens.map(Self.value)))
        }
    }

    /// Adds an integer.
    mutating func add(_ parameter: ParameterName, _ value: UInt64?) {
        self.object.add(self.name(of: parameter), value)
    }

    /// Adds a forward state.
    mutating func add(forward: Bool?) {
        self.add(.forward, forward.map { $0 ? 1 : 0 })
    }

    /// Adds the largest object.
    mutating func add(largest: Location?) {
        self.object.add(self.name(of: .largestObject), largest.map(JSONValue.location))
    }

    /// Adds a prefix.
    mutating func add(prefix: TrackNamespace?) {
        self.object.add(self.name(of: .trackNamespacePrefix), prefix.map(JSONValue.namespace))
    }

    private func name(of parameter: ParameterName) -> String {
        // Its name until there was a second kind of timeout.
        let isOld = parameter == .objectDeliveryTimeout && self.profile.version < .draft18
        return isOld ? "delivery_timeout" : parameter.rawValue.lowercased()
    }

    /// The Token structure.
    static func value(of token: AuthorizationToken) -> JSONValue {
        var fields = JSONObject()
        switch token {
        case .delete(let alias):
            fields.add("alias_type", 0)
            fields.add("token_alias", alias)
        case .register(let alias, let type, let value):
            fields.add("alias_type", 1)
            fields.add("token_alias", alias)
            fields.add("token_type", type)
            fields.add("token_value", .hex(value))
        case .useAlias(let alias):
            fields.add("alias_type", 2)
            fields.add("token_alias", alias)
        case .useValue(let type, let value):
            fields.add("alias_type", 3)
            fields.add("token_type", type)
            fields.add("token_value", .hex(value))
        }
        return .object(fields)
    }
}

extension JSONValue {
    /// The Location structure.
    static func location(_ location: Location) -> JSONValue {
        var fields = JSONObject()
        fields.add("group", location.group)
        fields.add("object", location.object)
        return .object(fields)
    }

    /// The fields of a namespace, prefix or suffix.
    static func namespace(_ namespace: TrackNamespace) -> JSONValue {
        .array(namespace.fields.map(JSONValue.name))
    }
}

extension JSONObject {
    /// Adds the fields of a filter.
    mutating func add(_ filter: SubscriptionFilter, in profile: DraftProfile) {
        switch filter {
        case .nextGroup:
            self.add("filter_type", 1)
        case .nextObject:
            self.add("filter_type", 2)
        case .absoluteStart(let start):
            self.add("filter_type", 3)
            self.add("start_location", .location(start))
        case .absoluteRange(let start, let endGroup):
            self.add("filter_type", 4)
            self.add("start_location", .location(start))
            if profile.filterEndGroupIsDelta {
                self.add("end_group_delta", endGroup &- start.group)
            } else {
                self.add("end_group", endGroup)
            }
        case .unfiltered, .relativeGroup, .objects:
            // No decoder of these drafts makes one.
            break
        }
    }
}
