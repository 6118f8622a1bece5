// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What a subscriber may say about the delivery of a subscription: in SUBSCRIBE, in the answer to PUBLISH and in
/// REQUEST_UPDATE (draft-18 §10.2).
///
/// A value of nil means that the message does not carry it: the default applies, or in an update the value stays.
public struct SubscriptionParameters: Hashable, Sendable {
    /// Priority against the other requests of the session; lower goes first. Default 128.
    public var subscriberPriority: UInt8?
    /// Order of the groups. Default: what the publisher prefers. Cannot be updated.
    public var groupOrder: GroupOrder?
    /// Whether the publisher sends objects at all. Default true.
    public var forward: Bool?
    /// Which objects are wanted. Default: no filter.
    public var filter: SubscriptionFilter?
    /// How long an object may wait before it is given up, in milliseconds. Draft 16 forbids 0.
    public var objectDeliveryTimeout: UInt64?
    /// How long a complete subgroup may take to be delivered, in milliseconds (draft 18 and later).
    public var subgroupDeliveryTimeout: UInt64?
    /// Asks for a new group: the largest group known plus one, or 0 when none is known.
    public var newGroupRequest: UInt64?
    /// How long a relay may wait for a publisher to appear, in milliseconds (SUBSCRIBE of draft 18 and later).
    public var rendezvousTimeout: UInt64?

    /// Makes a set in which everything that is not given is absent.
    public init(
        subscriberPriority: UInt8? = nil,
        groupOrder: GroupOrder? = nil,
        forward: Bool? = nil,
        filter: SubscriptionFilter? = nil,
        objectDeliveryTimeout: UInt64? = nil,
        subgroupDeliveryTimeout: UInt64? = nil,
        newGroupRequest: UInt64? = nil,
        rendezvousTimeout: UInt64? = nil
    ) {
        self.subscriberPriority = subscriberPriority
        self.groupOrder = groupOrder
        self.forward = forward
        self.filter = filter
        self.objectDeliveryTimeout = objectDeliveryTimeout
        self.subgroupDeliveryTimeout = subgroupDeliveryTimeout
        self.newGroupRequest = newGroupRequest
        self.rendezvousTimeout = rendezvousTimeout
    }
}
