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

    /// Those whose subscribers are told of what is left out of a fetch.
    static let tellingGaps = all.filter { !$0.subscriber.data.fetchObjectsAreComplete }

    /// Whether draft 14 has a part in it, which has no properties of tracks but three, and no default priority.
    var hasDraft14: Bool {
        self.publisher == .draft14 || self.subscriber == .draft14
    }

    var testDescription: String {
        "\(self.publisher) to \(self.subscriber)"
    }
}
