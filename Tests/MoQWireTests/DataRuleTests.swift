// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import Testing

/// What a peer may not do on subgroup streams. Tests are named after the rules of the conformance list.
@Suite("Rules of subgroup streams")
struct DataRuleTests {
    /// The reaction to a stream with properties, and with the default priority if there is one, whose objects these are.
    private func objects(_ bytes: [UInt8], _ profile: DraftProfile) -> SessionErrorCode? {
        subgroupRejection((profile.version == .draft14 ? [0x11, 1, 1, 0] : [0x31, 1, 1]) + bytes, profile)
    }

    @Test("D1, D2: a stream type that the draft does not have is refused", arguments: DraftProfile.all)
    func types(profile: DraftProfile) throws {
        var valid: Set<UInt64> = []
        let bases: [UInt64] = profile.version >= .draft18 ? [0x10, 0x30, 0x50, 0x70] : [0x10, 0x30]
        for base in profile.version >= .draft16 ? bases : [0x10] {
            valid.formUnion(base...(base + 5))
            valid.formUnion((base + 8)...(base + 13))
        }
        for type in UInt64(0)..<0x200 {
            var writer = WireWriter(integers: profile.coding.integers)
            try writer.write(integer: type)
            writer.write(bytes: [1, 1, 1, 1])
            let bytes = writer.bytes
            var parser = SubgroupStreamParser(profile: profile)
            let event = try? parser.next(in: unsafe bytes.span.bytes).event
            let stream = try? UniStreamType.decode(unsafe bytes.span.bytes, in: profile)
            #expect((event != nil) == valid.contains(type), "type \(type)")
            #expect((stream == .subgroup) == valid.contains(type), "type \(type)")
            #expect((stream == nil) == !(valid.contains(type) || type == 0x05), "type \(type)")
        }
    }

    @Test("D4: an unknown object status is refused", arguments: DraftProfile.all)
    func status(profile: DraftProfile) {
        for status: UInt8 in 0..<64 {
            let known: Set<UInt8> = profile.version == .draft14 ? [0, 1, 3, 4] : [0, 3, 4]
            let expected: SessionErrorCode? = known.contains(status) ? nil : .protocolViolation
            #expect(self.objects([0, 0, 0, status], profile) == expected)
        }
    }

    @Test("D5: only a normal object has properties", arguments: DraftProfile.withParameters)
    func propertiesOfStatus(profile: DraftProfile) {
        #expect(self.objects([0, 2, 2, 2, 0, 3], profile) == .protocolViolation)
        #expect(self.objects([0, 2, 2, 2, 0, 0], profile) == nil)
        #expect(self.objects([0, 0, 0, 3], profile) == nil)
    }

    @Test("D6: a stream may end between objects only", arguments: DraftProfile.all)
    func fin(profile: DraftProfile) {
        let object: [UInt8] = [0, 2, 2, 2, 3, 7, 7, 7]
        #expect(self.objects([], profile) == nil)
        #expect(self.objects(object, profile) == nil)
        for count in 1..<object.count {
            #expect(self.objects(Array(object[..<count]), profile) == .protocolViolation)
        }
        #expect(subgroupRejection([], profile) == .protocolViolation)
        #expect(subgroupRejection([0x11, 1], profile) == .protocolViolation)
    }

    @Test("D7: properties that do not fill their length are refused", arguments: DraftProfile.all)
    func properties(profile: DraftProfile) {
        #expect(self.objects([0, 1, 2, 1, 9], profile) == .protocolViolation)
        #expect(self.objects([0, 3, 1, 2, 9, 1, 9], profile) == .protocolViolation)
        #expect(
            self.objects([0, 2, 2, 0x40, 1, 9], profile)
                == (profile.coding.integers == .quic ? .protocolViolation : nil)
        )
        #expect(self.objects([0, 3, 1, 1, 9, 1, 9], profile) == nil)
    }

    @Test("D8: an object id cannot exceed 64 bits")
    func objectID() {
        let large = [UInt8](repeating: 0xFF, count: 9)
        #expect(self.objects(large + [0, 1, 9], .draft18) == nil)
        #expect(self.objects(large + [0, 1, 9] + [0, 0, 1, 9], .draft18) == .protocolViolation)
        #expect(self.objects([0, 0, 1, 9] + large + [0, 1, 9], .draft18) == .protocolViolation)
        let fits = large.dropLast() + [0xFE]
        #expect(self.objects([0, 0, 1, 9] + fits + [0, 1, 9], .draft18) == nil)
    }
}
