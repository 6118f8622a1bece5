// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import Testing

/// A draft, and the side of the connection that a test calls its subscriber.
struct Variant: Sendable, CustomTestStringConvertible {
    let profile: DraftProfile
    let subscriber: Role

    /// Every draft, in both directions.
    static let all: [Variant] = DraftProfile.all.flatMap { profile in
        [Variant(profile: profile, subscriber: .client), Variant(profile: profile, subscriber: .server)]
    }

    var testDescription: String {
        "\(self.profile), subscriber is the \(self.subscriber)"
    }
}
