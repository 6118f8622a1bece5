// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQProtocol
import MoQWire
import Testing

@Suite("Filters on the publisher's side")
struct ObjectFilterTests {
    @Test("A range judges groups, and objects at its edges")
    func range() {
        let filter = ObjectFilter(
            .absoluteRange(start: Location(group: 2, object: 3), endGroup: 4),
            largest: nil
        )
        #expect(
            (0..<7).map { filter.verdict(group: $0) } == [.before, .before, .partial, .inside, .inside, .after, .after]
        )
        #expect(!filter.passes(Location(group: 2, object: 2)))
        #expect(filter.passes(Location(group: 2, object: 3)))
        #expect(filter.passes(Location(group: 4, object: .max)))
    }

    @Test("An end within a group makes that group partial")
    func objects() {
        let filter = ObjectFilter(
            .objects(from: Location(group: 1, object: 0), through: Location(group: 1, object: 5)),
            largest: nil
        )
        #expect(filter.verdict(group: 1) == .partial)
        #expect(filter.passes(Location(group: 1, object: 5)))
        #expect(!filter.passes(Location(group: 1, object: 6)))
    }

    @Test("A range that is over is exhausted")
    func exhausted() {
        let range = SubscriptionFilter.absoluteRange(start: Location(group: 1, object: 0), endGroup: 2)
        #expect(!ObjectFilter(range, largest: nil).isExhausted(largest: nil))
        #expect(!ObjectFilter(range, largest: nil).isExhausted(largest: Location(group: 2, object: 9)))
        #expect(ObjectFilter(range, largest: nil).isExhausted(largest: Location(group: 3, object: 0)))
        #expect(!ObjectFilter(nil, largest: nil).isExhausted(largest: Location(group: .max, object: .max)))
        let backwards = SubscriptionFilter.absoluteRange(start: Location(group: 3, object: 0), endGroup: 2)
        #expect(ObjectFilter(backwards, largest: nil).isExhausted(largest: nil))
    }
}
