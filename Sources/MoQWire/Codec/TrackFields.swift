// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What draft 14 says about a track in fields and parameters of its answers, and the later drafts in properties.
///
/// The model has properties only. Draft 14 has no place for any others than these three, so they are left out there: a
/// track that has more can be served to its subscribers all the same.
struct TrackFields: Hashable {
    /// The order in which the publisher sends the groups.
    var groupOrder: GroupOrder = .ascending
    /// DELIVERY_TIMEOUT in milliseconds.
    var deliveryTimeout: UInt64?
    /// MAX_CACHE_DURATION in milliseconds.
    var maxCacheDuration: UInt64?

    init(groupOrder: GroupOrder, _ set: ParameterSet) {
        self.groupOrder = groupOrder
        self.deliveryTimeout = set.objectDeliveryTimeout
        self.maxCacheDuration = set.maxCacheDuration
    }

    init(_ properties: PropertyList) {
        self.groupOrder = properties.defaultPublisherGroupOrder ?? .ascending
        self.deliveryTimeout = properties.integer(PropertyType.objectDeliveryTimeout)
        self.maxCacheDuration = properties.integer(PropertyType.maxCacheDuration)
    }

    /// The properties that say the same. Ascending order is the default, and is not said.
    func properties(coding: KeyValueCoding) throws(MoQWireError) -> PropertyList {
        var pairs: [KeyValuePair] = []
        func add(_ type: UInt64, _ value: UInt64?) {
            guard let value, let pair = KeyValuePair(type: type, integer: value) else {
                return
            }
            pairs.append(pair)
        }
        add(PropertyType.objectDeliveryTimeout, self.deliveryTimeout)
        add(PropertyType.maxCacheDuration, self.maxCacheDuration)
        add(
            PropertyType.defaultPublisherGroupOrder,
            self.groupOrder == .ascending ? nil : UInt64(self.groupOrder.rawValue)
        )
        return try PropertyList(pairs, coding: coding)
    }

    /// The parameters that say the same.
    var parameters: ParameterSet {
        var set = ParameterSet()
        set.objectDeliveryTimeout = self.deliveryTimeout
        set.maxCacheDuration = self.maxCacheDuration
        return set
    }
}
