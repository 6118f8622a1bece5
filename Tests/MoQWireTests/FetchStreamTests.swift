// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import Testing
import WireSamples

@Suite("Fetch streams")
struct FetchStreamTests {
    /// An element of a fetch stream.
    private enum Element: Equatable {
        case object(FetchObjectHeader)
        case gap(FetchGap, Location)
    }

    private func parse(
        _ pieces: [[UInt8]],
        _ profile: DraftProfile,
        order: GroupOrder = .ascending,
        statuses: Bool = false
    ) throws(MoQWireError) -> [Element] {
        var elements: [Element] = []
        var parser = FetchStreamParser(profile: profile)
        parser.groupOrder = order
        parser.emptyObjectsCarryStatus = statuses
        var unread: [UInt8] = []
        for piece in pieces {
            unread += piece
            var open = true
            while open {
                let (event, consumed) = try parser.next(in: unsafe unread.span.bytes)
                switch event {
                case .header(let id): #expect(id == RequestID(70))
                case .object(let object): elements.append(.object(object))
                case .endOfRange(let gap, let location): elements.append(.gap(gap, location))
                case .payload(let count, _): #expect(count == consumed)
                case .needMore: open = false
                }
                unread.removeFirst(consumed)
            }
        }
        try parser.finish(unread: unread.count)
        return elements
    }

    private func object(
        _ group: UInt64,
        _ object: UInt64,
        subgroup: UInt64? = 0,
        priority: UInt8 = 128,
        properties: PropertyList = PropertyList(),
        length: UInt64 = 2
    ) -> Element {
        .object(
            FetchObjectHeader(
                location: Location(group: group, object: object),
                subgroupID: subgroup,
                publisherPriority: priority,
                properties: properties,
                payloadLength: length
            )
        )
    }

    private func encode(
        _ elements: [Element],
        _ profile: DraftProfile,
        order: GroupOrder = .ascending
    ) throws -> [UInt8] {
        var encoder = FetchStreamEncoder(profile: profile, groupOrder: order)
        var bytes: [UInt8] = []
        try encoder.encode(requestID: RequestID(70), into: &bytes)
        for element in elements {
            switch element {
            case .object(let header):
                try encoder.encode(header, into: &bytes)
                bytes += Array(repeating: 9, count: Int(header.payloadLength))
            case .gap(let gap, let location):
                try encoder.encode(endOfRange: gap, at: location, into: &bytes)
            }
        }
        return bytes
    }

    private func samples(_ profile: DraftProfile) throws -> [Element] {
        let properties = try MessageSamples.properties(profile)
        return [
            self.object(5, 3, subgroup: 3), self.object(5, 4, subgroup: 3), self.object(5, 9, subgroup: 4),
            self.object(6, 10, subgroup: 100, priority: 3, properties: properties), self.object(6, 11, subgroup: nil),
            .gap(.nonExistent, Location(group: 6, object: 70)), self.object(6, 71, subgroup: 101, length: 0),
            self.object(9, 0, subgroup: 0), .gap(.unknown, Location(group: 1 << 40, object: 0)),
            self.object(1 << 41, 1 << 35, subgroup: 8),
        ]
    }

    @Test("objects and gaps survive, wherever the stream is cut", arguments: DraftProfile.withParameters)
    func roundTrip(profile: DraftProfile) throws {
        let elements = try self.samples(profile)
        let bytes = try self.encode(elements, profile)
        for cut in 0...bytes.count {
            #expect(try self.parse([Array(bytes[..<cut]), Array(bytes[cut...])], profile) == elements)
        }
        #expect(try self.parse(bytes.map { [$0] }, profile) == elements)
    }

    @Test("groups can descend", arguments: DraftProfile.all)
    func descending(profile: DraftProfile) throws {
        let elements = [self.object(9, 0), self.object(9, 1), self.object(8, 0), self.object(0, 2)]
        let bytes = try self.encode(elements, profile, order: .descending)
        #expect(try self.parse([bytes], profile, order: .descending) == elements)
        #expect(throws: MoQWireError.self) {
            try self.encode(elements, profile, order: .ascending)
        }
    }

    @Test(
        "an object status after an empty payload is read when a peer writes one",
        arguments: DraftProfile.withParameters
    )
    func peerDeviation(profile: DraftProfile) throws {
        let elements = [self.object(0, 0, length: 0), self.object(0, 1)]
        var bytes = try self.encode([elements[0]], profile)
        let whole = try self.encode(elements, profile)
        let second = whole[bytes.count...]
        bytes.append(0)
        #expect(try self.parse([bytes + second], profile, statuses: true) == elements)
    }

    /// A stream with these fields after its header.
    private func stream(_ fields: [UInt64], _ profile: DraftProfile) throws -> [UInt8] {
        var writer = WireWriter(integers: profile.coding.integers)
        for field in [0x05, 70] + fields {
            try writer.write(integer: field)
        }
        return writer.bytes
    }

    /// The subgroups of the objects in a stream with these fields after its header.
    private func subgroups(_ fields: [UInt64], _ profile: DraftProfile) throws -> [UInt64?] {
        try self.parse([try self.stream(fields, profile)], profile).map { element in
            guard case .object(let object) = element else {
                return .max
            }
            return object.subgroupID
        }
    }

    /// Whether a stream that begins with these fields, after its header, is refused.
    private func isRefused(_ fields: [UInt64], _ profile: DraftProfile, order: GroupOrder = .ascending) throws -> Bool {
        let bytes = try self.stream(fields, profile)
        do {
            _ = try self.parse([bytes], profile, order: order)
            return false
        } catch {
            return error.code == .protocolViolation
        }
    }

    @Test("E2: flags beyond the known ones are refused", arguments: DraftProfile.all)
    func unknownFlags(profile: DraftProfile) throws {
        for flags: UInt64 in [0x80, 0x8B, 0x8D, 0x10B, 0x20C, 1 << 40] {
            #expect(try self.isRefused([flags, 1, 1, 0], profile))
        }
    }

    @Test("E3: the first object cannot refer to one before", arguments: DraftProfile.withParameters)
    func firstObject(profile: DraftProfile) throws {
        // Group, object and priority are there, and the subgroup is zero.
        #expect(try !self.isRefused([0x1C, 1, 1, 5, 0], profile))
        #expect(try self.isRefused([0x14, 1, 5, 0], profile))
        #expect(try self.isRefused([0x18, 1, 5, 0], profile))
        #expect(try self.isRefused([0x0C, 1, 1, 0], profile))
        #expect(try self.isRefused([0x1D, 1, 1, 5, 0], profile))
        #expect(try self.isRefused([0x1E, 1, 1, 5, 0], profile))
        // A datagram has no subgroup to refer to.
        #expect(try !self.isRefused([0x5D, 1, 1, 5, 0], profile))
    }

    @Test("what refers to the subgroup of a datagram finds 0", arguments: DraftProfile.withParameters)
    func subgroupAfterDatagram(profile: DraftProfile) throws {
        // Subgroup 7, then a datagram and "as before", then another and "one more".
        let after: [UInt64] = [0x1F, 1, 7, 1, 5, 0, 0x40, 0, 0x01, 0, 0x40, 0, 0x02, 0]
        #expect(try self.subgroups(after, profile) == [7, nil, 0, nil, 1])
        #expect(try self.subgroups([0x5C, 1, 1, 5, 0, 0x02, 0], profile) == [nil, 1])
    }

    @Test("E4: a location beyond 64 bits is refused")
    func overflow() throws {
        let first: [UInt64] = [0x1C, 7, .max, 5, 0]
        #expect(try self.isRefused(first + [0x00, 0], .draft18))
        #expect(try self.isRefused(first + [0x04, 1, 0], .draft18))
        #expect(try self.isRefused(first + [0x0C, .max, 1, 0], .draft18))
        #expect(try self.isRefused(first + [0x0C, .max - 7, 1, 0], .draft18))
        #expect(try !self.isRefused(first + [0x0C, .max - 8, 1, 0], .draft18))
        #expect(try self.isRefused(first + [0x0C, 7, 1, 0], .draft18, order: .descending))
        #expect(try !self.isRefused(first + [0x0C, 6, 1, 0], .draft18, order: .descending))
    }

    @Test(
        "E5: after a gap with no object before, subgroup and priority must be there",
        arguments: DraftProfile.withParameters
    )
    func afterGap(profile: DraftProfile) throws {
        let gap: [UInt64] = [0x8C, 5, 5]
        #expect(try self.isRefused(gap + [0x00, 0], profile))
        #expect(try self.isRefused(gap + [0x11, 9, 0], profile))
        #expect(try self.isRefused(gap + [0x12, 9, 0], profile))
        #expect(try !self.isRefused(gap + [0x10, 9, 0], profile))
    }

    @Test("D6: a FIN in the middle of an object is refused", arguments: DraftProfile.all)
    func fin(profile: DraftProfile) throws {
        let bytes = try self.encode([self.object(1, 1)], profile)
        #expect(throws: MoQWireError.self) {
            try self.parse([Array(bytes.dropLast())], profile)
        }
        #expect(throws: MoQWireError.self) {
            try self.parse([[0x05]], profile)
        }
    }
}
