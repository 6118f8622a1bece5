// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// The message parameters that the drafts define (draft-18 §10.2, "Message Parameters").
public enum ParameterName: String, Hashable, Sendable, CaseIterable {
    /// DELIVERY_TIMEOUT, later OBJECT_DELIVERY_TIMEOUT.
    case objectDeliveryTimeout = "OBJECT_DELIVERY_TIMEOUT"
    /// AUTHORIZATION_TOKEN.
    case authorizationToken = "AUTHORIZATION_TOKEN"
    /// MAX_CACHE_DURATION: a parameter in draft 14, a property of the track later.
    case maxCacheDuration = "MAX_CACHE_DURATION"
    /// RENDEZVOUS_TIMEOUT.
    case rendezvousTimeout = "RENDEZVOUS_TIMEOUT"
    /// SUBGROUP_DELIVERY_TIMEOUT.
    case subgroupDeliveryTimeout = "SUBGROUP_DELIVERY_TIMEOUT"
    /// EXPIRES.
    case expires = "EXPIRES"
    /// LARGEST_OBJECT.
    case largestObject = "LARGEST_OBJECT"
    /// FILL_TIMEOUT.
    case fillTimeout = "FILL_TIMEOUT"
    /// FORWARD.
    case forward = "FORWARD"
    /// SUBSCRIBER_PRIORITY.
    case subscriberPriority = "SUBSCRIBER_PRIORITY"
    /// SUBSCRIPTION_FILTER.
    case subscriptionFilter = "SUBSCRIPTION_FILTER"
    /// GROUP_ORDER.
    case groupOrder = "GROUP_ORDER"
    /// NEW_GROUP_REQUEST.
    case newGroupRequest = "NEW_GROUP_REQUEST"
    /// TRACK_NAMESPACE_PREFIX.
    case trackNamespacePrefix = "TRACK_NAMESPACE_PREFIX"
}

/// How the value of a parameter is framed on the wire.
public enum ParameterForm: Hashable, Sendable {
    /// One byte.
    case uint8
    /// One integer in the draft's coding.
    case varint
    /// The structure itself, whose end follows from its content.
    case bare
    /// A length, then so many bytes of content.
    case lengthPrefixed
}

/// One row of a draft's table of message parameters.
public struct ParameterDescriptor: Sendable {
    /// The type number on the wire.
    public var type: UInt64
    /// The parameter.
    public var name: ParameterName
    /// How its value is framed.
    public var form: ParameterForm
    /// The messages it may appear in.
    public var scope: ParameterScope
    /// Whether it may appear more than once in a message.
    public var repeatable: Bool
    /// The integers that are allowed as its value.
    public var range: ClosedRange<UInt64>

    /// Makes a row.
    public init(
        _ type: UInt64,
        _ name: ParameterName,
        _ form: ParameterForm,
        in scope: ParameterScope,
        repeatable: Bool = false,
        range: ClosedRange<UInt64> = 0...UInt64.max
    ) {
        self.type = type
        self.name = name
        self.form = form
        self.scope = scope
        self.repeatable = repeatable
        self.range = range
    }
}
