// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import Testing

@testable import MoQCommand

@Suite("Objects of the moq-test protocol, in order")
struct MoQTestScheduleTests {
    private func describe(_ schedule: MoQTestSchedule) -> [String] {
        schedule.map { entry in
            let place = entry.subgroup.map { "/\($0)" } ?? ""
            let kind = entry.isMarker ? "end" : "\(entry.size)"
            return "\(entry.location.group)\(place):\(entry.location.object)=\(kind)\(entry.endsGroup ? "." : "")"
        }
    }

    @Test("A subgroup per group")
    func groups() throws {
        let tuple = try MoQTestTuple(parsing: "moq-test-00/0/1/2/5//3/64/32/0/4/2/1")
        #expect(
            self.describe(MoQTestSchedule(tuple)) == [
                "1/0:2=64", "1/0:4=32", "1/0:6=32", "1/0:8=end.", "5/0:2=64", "5/0:4=32", "5/0:6=32", "5/0:8=end.",
            ]
        )
    }

    @Test("A subgroup per object, two subgroups, and datagrams")
    func subgroups() throws {
        let objects = try MoQTestTuple(parsing: "moq-test-00/1///0//3/4/5")
        #expect(self.describe(MoQTestSchedule(objects)) == ["0/0:0=4", "0/1:1=5", "0/2:2=5."])
        let two = try MoQTestTuple(parsing: "moq-test-00/2///0//3/4/5//1/1/1")
        #expect(self.describe(MoQTestSchedule(two)) == ["0/0:0=4", "0/1:1=5", "0/0:2=5", "0/1:3=end."])
        let datagrams = try MoQTestTuple(parsing: "moq-test-00/3///1//1/4/5")
        #expect(self.describe(MoQTestSchedule(datagrams)) == ["0:0=4.", "1:0=4."])
    }

    @Test("A last object between two steps leaves the rest out")
    func lastObject() throws {
        let tuple = try MoQTestTuple(parsing: "moq-test-00/0///0/5/4/1/1/0/1/2/1")
        #expect(self.describe(MoQTestSchedule(tuple)) == ["0/0:0=1", "0/0:2=1", "0/0:4=end."])
    }

    @Test("A range of the track, ascending and descending, with and without the markers")
    func ranges() throws {
        let tuple = try MoQTestTuple(parsing: "moq-test-00/0/0/0/9//3/1/1/0/3/2/1")
        let (start, end) = (Location(group: 2, object: 0), Location(group: 7, object: 3))
        #expect(
            self.describe(MoQTestSchedule(tuple, from: start, through: end)) == [
                "3/0:0=1", "3/0:2=1", "3/0:4=1", "3/0:6=end.", "6/0:0=1", "6/0:2=1", "6/0:4=1", "6/0:6=end.",
            ]
        )
        let inner = (Location(group: 3, object: 3), Location(group: 6, object: 3))
        #expect(
            self.describe(
                MoQTestSchedule(tuple, from: inner.0, through: inner.1, isDescending: true, includesMarkers: false)
            ) == ["6/0:0=1", "6/0:2=1.", "3/0:4=1."]
        )
        let none = MoQTestSchedule(tuple, from: Location(group: 10, object: 0), through: Location(group: 11, object: 0))
        #expect(self.describe(none).isEmpty)
        // A range that begins after the last object of its only group.
        let late = MoQTestSchedule(tuple, from: Location(group: 3, object: 7), through: Location(group: 5, object: 0))
        #expect(self.describe(late).isEmpty)
    }

    @Test("The largest object, of endless tracks too")
    func largest() throws {
        let tuple = try MoQTestTuple(parsing: "moq-test-00/0/0/0/10//3/1/1/0/3/2/1")
        #expect(MoQTestSchedule.largest(of: tuple, includesMarkers: true) == Location(group: 9, object: 6))
        #expect(MoQTestSchedule.largest(of: tuple, includesMarkers: false) == Location(group: 9, object: 4))
        let endless = MoQTestSchedule.largest(of: MoQTestTuple(), includesMarkers: true)
        #expect(endless == Location(group: MoQTestTuple.maximumNumber, object: 9))
        let far = Location(group: MoQTestTuple.maximumNumber - 1, object: 8)
        #expect(Array(MoQTestSchedule(MoQTestTuple(), from: far)).count == 12)
    }
}
