// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import Testing

@Suite("Property lists")
struct PropertyListTests {
    private func list(_ pairs: [KeyValuePair?], _ coding: KeyValueCoding = .draft18) throws -> PropertyList {
        try PropertyList(pairs.compactMap { $0 }, coding: coding)
    }

    @Test("bytes stay as they came, whatever they say")
    func raw() {
        let bytes: [UInt8] = [0x80, 0x02, 0x05, 0xFF]
        #expect(PropertyList(bytes: bytes, coding: .draft18).bytes == bytes)
        #expect(PropertyList(bytes: [], coding: .draft16) == PropertyList())
    }

    @Test("pairs are written in ascending order as distances, or as they are in draft 14")
    func order() throws {
        let pairs = [
            KeyValuePair(type: 0x30, integer: 1), KeyValuePair(type: 0x0B, bytes: []),
            KeyValuePair(type: 0x30, integer: 0),
        ]
        #expect(try self.list(pairs).bytes == hex("0b00 2501 0000"))
        #expect(try self.list(pairs, .draft14).bytes == hex("3001 0b00 3000"))
        #expect(try self.list(pairs, .draft14).pairs().map(\.type) == [0x30, 0x0B, 0x30])
    }

    @Test("named properties are found in the list and inside of IMMUTABLE")
    func lookup() throws {
        let inner = try self.list([
            KeyValuePair(type: PropertyType.defaultPublisherPriority, integer: 3),
            KeyValuePair(type: PropertyType.defaultPublisherGroupOrder, integer: 2),
            KeyValuePair(type: 0x4001, bytes: [7]),
        ])
        let list = try self.list([
            KeyValuePair(type: PropertyType.immutable, bytes: inner.bytes),
            KeyValuePair(type: PropertyType.dynamicGroups, integer: 1),
            KeyValuePair(type: 0x4002, integer: 0),
        ])
        #expect(list.defaultPublisherPriority == 3 && list.defaultPublisherGroupOrder == .descending)
        #expect(list.allowsDynamicGroups && list.bytes(0x4001) == [7])
        #expect(list.integer(PropertyType.maxCacheDuration) == nil)
        #expect(list.mandatoryTypes == [0x4002])
        #expect(!list.immutableIsMalformed && list.immutable == inner)
    }

    @Test("IMMUTABLE makes a track malformed when it is nested, repeated or unreadable")
    func malformed() throws {
        let immutable = PropertyType.immutable
        let nested = try self.list([KeyValuePair(type: immutable, bytes: [])])
        #expect(try self.list([KeyValuePair(type: immutable, bytes: nested.bytes)]).immutableIsMalformed)
        #expect(try self.list([KeyValuePair(type: immutable, bytes: [0x01, 0x05])]).immutableIsMalformed)
        #expect(
            try self.list([
                KeyValuePair(type: immutable, bytes: []), KeyValuePair(type: immutable, bytes: []),
            ]).immutableIsMalformed
        )
        #expect(!PropertyList().immutableIsMalformed)
    }

    @Test("lists move between drafts, with IMMUTABLE untouched")
    func transcoding() throws {
        let list = try self.list([
            KeyValuePair(type: 0x50, integer: 1 << 61), KeyValuePair(type: PropertyType.immutable, bytes: [1, 2, 3]),
        ])
        let old = try list.transcoded(to: .draft16)
        #expect(old.bytes != list.bytes && old.coding == .draft16)
        #expect(try old.pairs() == list.pairs())
        #expect(try old.transcoded(to: .draft18) == list)
        let large = try self.list([KeyValuePair(type: 0x50, integer: .max)])
        #expect(throws: MoQWireError.self) {
            try large.transcoded(to: .draft16)
        }
    }
}
