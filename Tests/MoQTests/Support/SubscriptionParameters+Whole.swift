// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire

extension SubscriptionParameters {
    /// The parameters that every draft can say in an update: one of draft 14 has to say them all.
    static let whole = SubscriptionParameters(
        subscriberPriority: 128,
        forward: true,
        filter: .absoluteStart(Location(group: 0, object: 0))
    )
}
