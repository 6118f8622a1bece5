// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import Testing

@testable import MoQRelay

@Suite("What is remembered for the removal of duplicates")
struct SubgroupHistoryTests {
    @Test("The newest record of a subgroup counts, and the oldest are forgotten beyond the capacity")
    func history() {
        var history = SubgroupHistory()
        history.capacity = SubgroupHistory.mergingCapacity
        history.note(SubgroupHistory.Record(group: 0, subgroup: 7, last: 3, isComplete: false))
        history.note(SubgroupHistory.Record(group: 0, subgroup: 7, last: 9, isComplete: true))
        #expect(history.record(ofGroup: 0, subgroup: 7)?.last == 9)
        #expect(history.record(ofGroup: 7, subgroup: 0) == nil)
        for group in 1..<2_000 as Range<UInt64> {
            history.note(SubgroupHistory.Record(group: group, subgroup: 0, last: nil, isComplete: true))
        }
        #expect(history.count == SubgroupHistory.mergingCapacity)
        #expect(history.record(ofGroup: 0, subgroup: 7) == nil)
        history.capacity = SubgroupHistory.usualCapacity
        #expect(history.count == SubgroupHistory.usualCapacity)
        #expect(history.record(ofGroup: 1_999, subgroup: 0) != nil)
        #expect(history.record(ofGroup: 1_000, subgroup: 0) == nil)
    }

    @Test("A datagram is recognised as long as it is among the last")
    func datagrams() {
        let merge = TrackMerge()
        let count = UInt64(TrackMerge.datagramCapacity)
        for object in 0...count {
            #expect(merge.admit(datagramAt: Location(group: 1, object: object)))
        }
        #expect(!merge.admit(datagramAt: Location(group: 1, object: count)))
        #expect(!merge.admit(datagramAt: Location(group: 1, object: 1)))
        #expect(merge.admit(datagramAt: Location(group: 1, object: 0)), "it was forgotten")
    }
}
