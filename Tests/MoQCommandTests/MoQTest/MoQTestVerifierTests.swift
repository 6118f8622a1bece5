// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import Testing
import WebTransport

@testable import MoQCommand

/// What the verifier says when the objects of two groups arrive as they should, or with one fault.
@Suite("Verifying tracks of the moq-test protocol")
struct MoQTestVerifierTests {
    /// One object on its way to a subscriber.
    private struct Arrival {
        var group: UInt64
        var subgroup: UInt64
        var object: UInt64
        var status = ObjectStatus.normal
        var properties: [KeyValuePair] = []
        var payload: [UInt8] = []
    }

    /// Two subgroups per group, objects 0, 1, 2 and the marker 3, an integer property 200.
    private static let text = "moq-test-00/2/1/0/3//3/5/2/0/2/1/1/100"

    private static let arrivals: [Arrival] = [UInt64(1), 3].flatMap { group in
        (UInt64(0)...3).map { object in
            var arrival = Arrival(group: group, subgroup: object % 2, object: object)
            if object == 3 {
                arrival.status = .endOfGroup
            } else {
                arrival.properties = [KeyValuePair(type: 200, integer: 9)].compactMap(\.self)
                arrival.payload = [UInt8](repeating: UInt8(ascii: "t"), count: object == 0 ? 5 : 2)
            }
            return arrival
        }
    }

    /// The differences that are found when `arrivals` come as `deliver` says.
    private func mismatches(_ arrivals: [Arrival], isCut: Bool = false) throws -> [String] {
        let receiver = MoQTestReceiver(
            MoQTestVerifier(try MoQTestTuple(parsing: Self.text), delivery: .subscription)
        )
        var consumers: [[UInt64]: any SubgroupConsumer] = [:]
        for arrival in arrivals {
            let key = [arrival.group, arrival.subgroup]
            let description = SubgroupDescription(
                group: arrival.group,
                subgroup: arrival.subgroup,
                containsEndOfGroup: arrival.subgroup == 1
            )
            let consumer = try #require(consumers[key] ?? receiver.beginSubgroup(description))
            consumers[key] = consumer
            consumer.beginObject(
                ObjectHeader(
                    objectID: arrival.object,
                    properties: try PropertyList(arrival.properties),
                    payloadLength: UInt64(arrival.payload.count),
                    status: arrival.status
                )
            )
            consumer.receive(payload: Bytes(arrival.payload))
        }
        for consumer in consumers.values {
            consumer.finish()
        }
        receiver.verifier.finish(isCut: isCut)
        return receiver.verifier.mismatches
    }

    private func mismatch(at index: Int = 1, _ change: (inout Arrival) -> Void) throws -> [String] {
        var arrivals = Self.arrivals
        change(&arrivals[index])
        return try self.mismatches(arrivals)
    }

    @Test("What the namespace says is right")
    func right() throws {
        #expect(try self.mismatches(Self.arrivals) == [])
        #expect(try self.mismatches(Array(Self.arrivals[4...] + Self.arrivals[..<4])) == [], "in another order, too")
    }

    @Test("Every object that is missing is found", arguments: 0..<8)
    func missing(index: Int) throws {
        var arrivals = Self.arrivals
        let gone = arrivals.remove(at: index)
        let mismatches = try self.mismatches(arrivals)
        #expect(mismatches.contains("group \(gone.group) object \(gone.object) is missing"), "\(mismatches)")
    }

    @Test("So are missing groups")
    func missingGroup() throws {
        let mismatches = try self.mismatches(Array(Self.arrivals[4...]))
        #expect(mismatches.count == 4)
        #expect(mismatches.last == "group 1: more is missing")
    }

    @Test("An object that does not exist, by group, by step and beyond the end")
    func surplus() throws {
        #expect(try self.mismatch(at: 4) { $0.group = 2 }.contains("group 2 object 0 does not exist"))
        #expect(try self.mismatch(at: 7) { $0.object = 5 }.contains("group 3 object 5 does not exist"))
        #expect(try self.mismatch(at: 0) { $0.group = 0 }.contains("group 0 object 0 does not exist"))
    }

    @Test("An object that comes twice")
    func twice() throws {
        var arrivals = Self.arrivals
        arrivals.insert(arrivals[2], at: 3)
        let mismatches = try self.mismatches(arrivals)
        #expect(mismatches.first == "group 1 object 2 arrived twice", "\(mismatches)")
        #expect(mismatches.contains { $0.contains("comes after object 2 in its subgroup") })
    }

    @Test("A wrong subgroup")
    func subgroup() throws {
        #expect(try self.mismatch { $0.subgroup = 0 } == ["group 1 object 1 came in subgroup 0, not in subgroup 1"])
    }

    @Test("A wrong size, of the first object and of the others")
    func size() throws {
        let few = [UInt8(ascii: "t")]
        #expect(try self.mismatch(at: 0) { $0.payload = few } == ["group 1 object 0 has 1 bytes, not 5"])
        #expect(try self.mismatch(at: 1) { $0.payload = few } == ["group 1 object 1 has 1 bytes, not 2"])
    }

    @Test("A wrong byte")
    func payload() throws {
        let wrong = try self.mismatch { $0.payload[1] = UInt8(ascii: "T") }
        #expect(wrong == ["group 1 object 1 has bytes other than 't' in its payload"])
    }

    @Test("Properties that are missing, wrong or too many")
    func properties() throws {
        #expect(try self.mismatch { $0.properties = [] }.first?.contains("of the types [], not [200]") == true)
        let other = try #require(KeyValuePair(type: 202, integer: 1))
        #expect(try self.mismatch { $0.properties = [other] }.first?.contains("[202], not [200]") == true)
        #expect(try self.mismatch { $0.properties.append(other) }.first?.contains("[200, 202], not [200]") == true)
    }

    @Test("A marker that is an object, and an object that is a marker")
    func markers() throws {
        let object = try self.mismatch(at: 3) { $0.status = .normal }
        #expect(object == ["group 1 object 3 should be an End of Group and has status normal"])
        let marker = try self.mismatch(at: 2) {
            $0.status = .endOfGroup
            $0.payload = []
            $0.properties = []
        }
        #expect(marker == ["group 1 object 2 should be an ordinary object and has status endOfGroup"])
    }

    @Test("A stream that claims the end of its group and does not contain it")
    func endOfGroup() throws {
        var arrivals = Self.arrivals
        arrivals.remove(at: 3)
        #expect(
            try self.mismatches(arrivals).contains("group 1 object 1 is said to be the last of its group, and is not")
        )
    }

    @Test("A stream that is reset, and a payload that is cut short")
    func reset() throws {
        let receiver = MoQTestReceiver(
            MoQTestVerifier(try MoQTestTuple(parsing: Self.text), delivery: .subscription)
        )
        receiver.beginSubgroup(SubgroupDescription(group: 1))?.reset(.cancelled)
        let short = receiver.beginSubgroup(SubgroupDescription(group: 3))
        short?.beginObject(ObjectHeader(objectID: 0, payloadLength: 5))
        short?.receive(payload: Bytes(utf8: "tt"))
        short?.finish()
        #expect(receiver.verifier.mismatches.contains("group 1 subgroup 0 was reset: cancelled"))
        #expect(receiver.verifier.mismatches.contains("group 3 object 0 is cut short"))
    }

    @Test("Of a track that goes on, the newest groups may be incomplete")
    func cut() throws {
        #expect(try self.mismatches([Self.arrivals[0]], isCut: true).isEmpty)
    }

    @Test("A subscriber that came late misses nothing that was before")
    func late() throws {
        var verifier = MoQTestVerifier(try MoQTestTuple(parsing: "moq-test-00/0///1//2/0/0"), delivery: .subscription)
        verifier.joined(after: Location(group: 0, object: 0))
        verifier.finish(isCut: false)
        #expect(
            verifier.mismatches
                == ["group 0 object 1 is missing", "group 1 object 0 is missing", "group 1 object 1 is missing"]
        )
    }

    @Test("A fetch must stay in its range and in its order")
    func fetch() throws {
        let tuple = try MoQTestTuple(parsing: "moq-test-00/3///3//3/1/1")
        func fetched(_ locations: [(UInt64, UInt64)], _ order: GroupOrder) -> [String] {
            var verifier = MoQTestVerifier(
                tuple,
                delivery: .fetch(order),
                from: Location(group: 1, object: 1),
                through: Location(group: 2, object: 0)
            )
            for (group, object) in locations {
                verifier.object(
                    Location(group: group, object: object),
                    subgroup: nil,
                    status: .normal,
                    properties: PropertyList(),
                    payloadLength: 1
                )
            }
            verifier.finish(isCut: false)
            return verifier.mismatches
        }
        #expect(fetched([(1, 1), (1, 2), (2, 0)], .ascending) == [])
        #expect(fetched([(2, 0), (1, 1), (1, 2)], .descending) == [])
        #expect(fetched([(2, 0), (1, 1), (1, 2)], .ascending) == ["group 1 object 1 comes after group 2 object 0"])
        #expect(fetched([(1, 1), (2, 0)], .ascending) == ["group 1 object 2 is missing"])
        #expect(fetched([(1, 0), (1, 1), (1, 2), (2, 0)], .ascending) == ["group 1 object 0 was not asked for"])
    }
}
