// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import Testing

/// The drafts that the two sides of a relay speak in one run of a test.
struct DraftPair: Hashable, Sendable, CustomTestStringConvertible {
    var publisher: DraftProfile
    var subscriber: DraftProfile

    static let all: [DraftPair] = DraftProfile.all.flatMap { publisher in
        DraftProfile.all.map { DraftPair(publisher: publisher, subscriber: $0) }
    }

    var testDescription: String {
        "\(self.publisher) to \(self.subscriber)"
    }
}
