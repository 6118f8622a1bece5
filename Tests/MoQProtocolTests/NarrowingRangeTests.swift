// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQProtocol
import MoQWire
import Testing

@Suite("Ranges that only narrow")
struct NarrowingRangeTests {
    private let largest = Location(group: 4, object: 2)

    @Test("A filter is resolved against what was communicated")
    func resolved() {
        #expect(
            NarrowingRange(nil, communicated: self.largest).filter() == .absoluteStart(Location(group: 0, object: 0))
        )
        #expect(
            NarrowingRange(.nextObject, communicated: self.largest).filter()
                == .absoluteStart(Location(group: 4, object: 3))
        )
        #expect(
            NarrowingRange(.nextGroup, communicated: nil).filter() == .absoluteStart(Location(group: 0, object: 0))
        )
        let range = SubscriptionFilter.absoluteRange(start: Location(group: 1, object: 5), endGroup: 9)
        #expect(NarrowingRange(range, communicated: self.largest).filter() == range)
    }

    @Test("The filter can be had from a later start on")
    func laterStart() {
        let range = NarrowingRange(
            .absoluteRange(start: Location(group: 1, object: 5), endGroup: 9),
            communicated: nil
        )
        #expect(
            range.filter(from: Location(group: 3, object: 0))
                == .absoluteRange(start: Location(group: 3, object: 0), endGroup: 9)
        )
        #expect(range.filter(from: Location(group: 1, object: 4)) == range.filter())
    }

    @Test("What is narrower is taken over, what is not changes nothing")
    func narrowing() {
        var range = NarrowingRange(.absoluteStart(Location(group: 2, object: 0)), communicated: nil)
        let steps: [(SubscriptionFilter, Bool)] = [
            (.absoluteStart(Location(group: 1, object: 9)), false),
            (.absoluteStart(Location(group: 2, object: 0)), true),
            (.unfiltered, false),
            (.nextObject, false),
            (.absoluteStart(Location(group: 3, object: 1)), true),
            (.absoluteStart(Location(group: 3, object: 0)), false),
            (.absoluteRange(start: Location(group: 3, object: 1), endGroup: 8), true),
            (.absoluteStart(Location(group: 5, object: 0)), false),
            (.absoluteRange(start: Location(group: 5, object: 0), endGroup: 9), false),
            (.absoluteRange(start: Location(group: 6, object: 0), endGroup: 5), false),
            (.absoluteRange(start: Location(group: 5, object: 0), endGroup: 5), true),
            (.absoluteRange(start: Location(group: 5, object: 0), endGroup: 6), false),
        ]
        for (filter, isNarrower) in steps {
            let before = range
            #expect(range.narrow(to: filter) == isNarrower, "\(filter)")
            #expect(isNarrower || range == before)
        }
    }
}
