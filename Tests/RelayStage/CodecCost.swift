// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CAllocationCounter
import MoQWire

/// What the codec does for one object, written and read in memory.
public enum CodecCost {
    private static let objects = 1_000
    private static let payload = [UInt8](repeating: 7, count: 100)

    /// Objects of a subgroup stream, and datagrams, of draft 18.
    public static func all() -> [(name: String, count: OperationCount)] {
        do throws(MoQWireError) {
            let subgroup = try self.subgroup()
            let datagram = try self.datagram()
            return [
                ("subgroup, written", subgroup.written), ("subgroup, read", subgroup.read),
                ("datagram, written", datagram.written), ("datagram, read", datagram.read),
            ]
        } catch {
            preconditionFailure("the codec does not read what it wrote: \(error)")
        }
    }

    /// What `body` does for an object when it is done for all of them.
    private static func count(_ body: () throws(MoQWireError) -> Void) throws(MoQWireError) -> OperationCount {
        operation_counter_reset()
        operation_counter_resume()
        defer { operation_counter_pause() }
        try body()
        operation_counter_pause()
        return OperationCount(operation_counter_read()) * (1 / Double(self.objects))
    }

    private static func subgroup() throws(MoQWireError) -> (written: OperationCount, read: OperationCount) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(self.objects * 128)
        var encoder = SubgroupStreamEncoder(profile: .draft18)
        var parser = SubgroupStreamParser(profile: .draft18)
        try encoder.encode(SubgroupHeader(trackAlias: TrackAlias(1), groupID: 2, publisherPriority: 128), into: &bytes)
        let written = try self.count { () throws(MoQWireError) in
            for id in 0..<UInt64(self.objects) {
                try encoder.encode(ObjectHeader(objectID: id, payloadLength: 100), into: &bytes)
                bytes.append(contentsOf: self.payload)
            }
        }
        let read = try self.count { () throws(MoQWireError) in
            try self.read(bytes, &parser)
        }
        return (written, read)
    }

    private static func read(
        _ bytes: borrowing [UInt8],
        _ parser: inout SubgroupStreamParser
    ) throws(MoQWireError) {
        let span = unsafe bytes.span.bytes
        var offset = 0
        while true {
            let (event, consumed) = try parser.next(in: span.extracting(offset...))
            offset += consumed
            if case .needMore = event {
                return
            }
        }
    }

    private static func datagram() throws(MoQWireError) -> (written: OperationCount, read: OperationCount) {
        let codec = DatagramCodec(profile: .draft18)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(64)
        let written = try self.count { () throws(MoQWireError) in
            for id in 0..<UInt64(self.objects) {
                bytes.removeAll(keepingCapacity: true)
                try codec.encode(
                    ObjectDatagram(trackAlias: TrackAlias(1), groupID: 1, objectID: id, publisherPriority: 1),
                    into: &bytes
                )
            }
        }
        let read = try self.count { () throws(MoQWireError) in
            for _ in 0..<self.objects {
                _ = try codec.decode(unsafe bytes.span.bytes)
            }
        }
        return (written, read)
    }
}
