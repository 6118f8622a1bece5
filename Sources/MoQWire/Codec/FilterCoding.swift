// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

extension SubscriptionFilter {
    /// Reads a filter that fills the reader (draft-18 §5.1.2), in the form of drafts 14 to 19.
    init(filling reader: consuming WireReader, endGroupIsDelta: Bool) throws(MoQWireError) {
        var reader = reader
        try self.init(from: &reader, endGroupIsDelta: endGroupIsDelta)
        guard reader.isAtEnd else {
            throw .violation("a subscription filter is shorter than its length")
        }
    }

    /// Reads a filter from the front of the reader, in the form of drafts 14 to 19.
    init(from reader: inout WireReader, endGroupIsDelta: Bool) throws(MoQWireError) {
        switch try reader.readInteger() {
        case 1:
            self = .nextGroup
        case 2:
            self = .nextObject
        case 3:
            self = .absoluteStart(try reader.readLocation())
        case 4:
            let start = try reader.readLocation()
            let end = try reader.readInteger()
            guard endGroupIsDelta else {
                self = .absoluteRange(start: start, endGroup: end)
                break
            }
            let (group, overflow) = start.group.addingReportingOverflow(end)
            guard !overflow else {
                throw .violation("the end of a subscription filter exceeds 64 bits")
            }
            self = .absoluteRange(start: start, endGroup: group)
        default:
            throw .violation("unknown type of subscription filter")
        }
    }

    /// The bytes of the filter, without a length.
    ///
    /// - Throws: for filters that drafts 14 to 19 do not have, and for a range that ends before it starts.
    func encoded(integers: IntegerCoding, endGroupIsDelta: Bool) throws(MoQWireError) -> [UInt8] {
        var writer = WireWriter(integers: integers)
        switch self {
        case .unfiltered:
            // The drafts call a start at the very beginning equivalent to no filter, and an update has no other way.
            try writer.write(integer: 3)
            try writer.write(Location(group: 0, object: 0))
        case .nextGroup:
            try writer.write(integer: 1)
        case .nextObject:
            try writer.write(integer: 2)
        case .absoluteStart(let start):
            try writer.write(integer: 3)
            try writer.write(start)
        case .absoluteRange(let start, let endGroup):
            guard endGroup >= start.group else {
                throw .notExpressible("a subscription filter ends before it starts")
            }
            try writer.write(integer: 4)
            try writer.write(start)
            try writer.write(integer: endGroupIsDelta ? endGroup - start.group : endGroup)
        case .relativeGroup, .objects:
            throw .notExpressible("this draft has no such subscription filter")
        }
        return writer.bytes
    }
}
