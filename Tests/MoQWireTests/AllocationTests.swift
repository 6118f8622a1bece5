// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CAllocationCounter
import MoQWire
import Testing

/// What the codec allocates for objects, whose payload its owner keeps.
@Suite("Allocations", .enabled(if: allocation_counter_is_available()))
struct AllocationTests {
    private static let payload = [UInt8](repeating: 7, count: 100)

    /// How often `body` asks for memory.
    private func allocations(_ body: () throws -> Void) rethrows -> UInt64 {
        allocation_counter_begin()
        defer { _ = allocation_counter_end() }
        try body()
        return allocation_counter_end()
    }

    @Test("The counter counts: an instance, and the buffer of an array")
    func counter() {
        final class Instance {}
        var instances: [Instance] = []
        instances.reserveCapacity(100)
        let single = self.allocations {
            for _ in 0..<100 { instances.append(Instance()) }
        }
        #expect(single >= 100)
        #expect(instances.count == 100)
        #expect(self.allocations {} == 0)
    }

    @Test("Objects of a subgroup stream are written and read without an allocation", arguments: DraftProfile.all)
    func subgroup(profile: DraftProfile) throws {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(1_000_000)
        var encoder = SubgroupStreamEncoder(profile: profile)
        var parser = SubgroupStreamParser(profile: profile)
        let header = SubgroupHeader(trackAlias: TrackAlias(1), groupID: 2, publisherPriority: 128)
        try encoder.encode(header, into: &bytes)
        var found = 0
        func round() throws {
            // A loop over a range would allocate, as long as the compiler does not optimise it.
            var id = UInt64(found)
            while id < UInt64(found + 1_000) {
                try encoder.encode(ObjectHeader(objectID: id, payloadLength: 100), into: &bytes)
                bytes.append(contentsOf: Self.payload)
                id += 1
            }
            found += try self.read(bytes, &parser)
            bytes.removeAll(keepingCapacity: true)
        }
        try round()
        let count = try self.allocations { try round() }
        #expect(found == 2_000)
        #expect(count == 0)
    }

    private func read(_ bytes: borrowing [UInt8], _ parser: inout SubgroupStreamParser) throws -> Int {
        let span = unsafe bytes.span.bytes
        var offset = 0
        var objects = 0
        while true {
            let (event, consumed) = try parser.next(in: span.extracting(offset...))
            offset += consumed
            switch event {
            case .header: break
            case .object: objects += 1
            case .payload: break
            case .needMore: return objects
            }
        }
    }

    @Test("Datagrams are written and read without an allocation", arguments: DraftProfile.all)
    func datagrams(profile: DraftProfile) throws {
        let codec = DatagramCodec(profile: profile)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(4_096)
        var offsets = 0
        func round() throws {
            var id: UInt64 = 1
            while id < 1_000 {
                let datagram = ObjectDatagram(
                    trackAlias: TrackAlias(1),
                    groupID: id,
                    objectID: id,
                    publisherPriority: 1
                )
                try codec.encode(datagram, into: &bytes)
                if case .object(_, let offset) = try codec.decode(unsafe bytes.span.bytes) { offsets += offset }
                bytes.removeAll(keepingCapacity: true)
                id += 1
            }
        }
        try round()
        let count = try self.allocations { try round() }
        #expect(offsets > 6_000)
        #expect(count == 0)
    }
}
