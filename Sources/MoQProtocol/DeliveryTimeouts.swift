// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// How long a publisher may take to deliver what a subscription consists of (draft-18 §8, "Delivery Timeouts and Data
/// Reliability"). What the subscriber and the publisher want is compared, and the smaller one counts; 0 means none.
public struct DeliveryTimeouts: Hashable, Sendable {
    /// How long an object may wait before its first byte is handed to the transport.
    public var object: Duration?
    /// How long a complete subgroup may take until all of it is delivered (draft 18 and later).
    public var subgroup: Duration?

    /// No timeouts.
    public init() {}

    /// The timeouts of a subscription: those of the subscriber's messages and of the track's properties.
    public init(subscriber: SubscriptionParameters, track: PropertyList) {
        self.object = Self.smaller(
            subscriber.objectDeliveryTimeout,
            track.integer(PropertyType.objectDeliveryTimeout)
        )
        self.subgroup = Self.smaller(
            subscriber.subgroupDeliveryTimeout,
            track.integer(PropertyType.subgroupDeliveryTimeout)
        )
    }

    /// How long an object in a datagram may wait.
    public var datagram: Duration? {
        guard let object = self.object, let subgroup = self.subgroup else {
            return self.object ?? self.subgroup
        }
        return min(object, subgroup)
    }

    private static func smaller(_ one: UInt64?, _ other: UInt64?) -> Duration? {
        [one, other].compactMap { $0 }.filter { $0 > 0 }.min().map { .milliseconds(Int64(clamping: $0)) }
    }
}
