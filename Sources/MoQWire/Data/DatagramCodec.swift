// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Turns the headers of datagrams into the bytes of one draft and back (draft-18 §11.3, "Datagrams").
public struct DatagramCodec: Sendable {
    /// What a datagram is.
    public enum Decoded: Hashable, Sendable {
        /// An object, whose payload is everything from this offset on.
        case object(ObjectDatagram, payloadOffset: Int)
        /// Nothing of interest (draft 18 and later).
        case padding
    }

    /// The most bytes that a header takes, without its properties.
    public static let maximumHeaderLength = 6 * WireWriter.maximumIntegerLength + 1

    /// The bits in the type of a datagram.
    private enum Bits {
        static let properties: UInt64 = 0x01
        static let endOfGroup: UInt64 = 0x02
        static let zeroObjectID: UInt64 = 0x04
        static let defaultPriority: UInt64 = 0x08
        static let status: UInt64 = 0x20
    }

    private let rules: DataPlaneRules

    /// Makes a codec for one draft.
    public init(profile: DraftProfile) {
        self.rules = profile.data
    }

    /// Reads the header of a datagram that is all there.
    ///
    /// - Throws: a violation with the code to close the session with, and with a reason that says how far the datagram could
    ///   be read.
    public func decode(_ bytes: RawSpan) throws(MoQWireError) -> Decoded {
        var reader = WireReader(bytes, integers: self.rules.coding.integers)
        do throws(MoQWireError) {
            return try self.decode(from: &reader)
        } catch {
            throw error.located(in: "datagram", at: reader.offset)
        }
    }

    private func decode(from reader: inout WireReader) throws(MoQWireError) -> Decoded {
        let type = try reader.readInteger()
        if self.rules.hasPadding, type == 0x132B_3E29 {
            return .padding
        }
        let bits = type & Bits.status == 0 ? self.rules.datagramTypeBits : self.rules.statusDatagramTypeBits
        guard type & ~bits == 0 else {
            throw MoQWireError(code: .protocolViolation, reason: "unknown type of datagram \(type)")
        }
        var datagram = ObjectDatagram(
            trackAlias: TrackAlias(try reader.readInteger()),
            groupID: try reader.readInteger(),
            objectID: type & Bits.zeroObjectID == 0 ? try reader.readInteger() : 0,
            publisherPriority: type & Bits.defaultPriority == 0 ? try reader.readByte() : nil,
            endsGroup: type & Bits.endOfGroup != 0
        )
        if type & Bits.properties != 0 {
            let length = try reader.readLength()
            guard length > 0 else {
                throw .violation("the properties of a datagram are empty")
            }
            datagram.properties = try PropertyList(
                validating: try reader.readSlice(length),
                coding: self.rules.coding
            )
        }
        if type & Bits.status != 0 {
            datagram.status = try ObjectStatus(
                wireValue: try reader.readInteger(),
                hasProperties: !datagram.properties.isEmpty,
                in: self.rules
            )
            guard reader.isAtEnd else {
                throw .violation("a datagram with a status has a payload")
            }
        }
        return .object(datagram, payloadOffset: reader.offset)
    }

    /// Appends the header of a datagram; the caller appends the payload, if the status is normal.
    ///
    /// An object of normal status is always written as one with payload, even when the payload is empty.
    ///
    /// - Throws: when a status rules out what else is asked for, or a number does not fit the draft's integers.
    public func encode(_ datagram: ObjectDatagram, into bytes: inout [UInt8]) throws(MoQWireError) {
        try self.encode(
            datagram,
            trackAlias: datagram.trackAlias,
            publisherPriority: datagram.publisherPriority,
            into: &bytes
        )
    }

    /// The same, with another alias and another priority, so that who sends an object to many need not copy the header.
    ///
    /// - Throws: as the other one.
    public func encode(
        _ datagram: ObjectDatagram,
        trackAlias: TrackAlias,
        publisherPriority: UInt8?,
        into bytes: inout [UInt8]
    ) throws(MoQWireError) {
        var type: UInt64 = 0
        if datagram.status != .normal {
            guard datagram.status.isKnown(in: self.rules), !datagram.endsGroup,
                datagram.properties.isEmpty || datagram.status.allowsProperties(in: self.rules)
            else {
                throw .notExpressible("this draft has no datagram with such a status")
            }
            type |= Bits.status
        }
        if !datagram.properties.isEmpty {
            type |= Bits.properties
        }
        if datagram.endsGroup {
            type |= Bits.endOfGroup
        }
        // Where a draft always writes the object id of a status, 0 is written as well.
        let bits = type & Bits.status == 0 ? self.rules.datagramTypeBits : self.rules.statusDatagramTypeBits
        let omitsObjectID = datagram.objectID == 0 && bits & Bits.zeroObjectID != 0
        if omitsObjectID {
            type |= Bits.zeroObjectID
        }
        if publisherPriority == nil {
            type |= Bits.defaultPriority
        }
        guard type & ~bits == 0 else {
            throw .notExpressible("this draft has no such datagram")
        }
        let coding = self.rules.coding
        try WireWriter.append(to: &bytes, integers: coding.integers) { writer throws(MoQWireError) in
            try writer.write(integer: type)
            try writer.write(integer: trackAlias.rawValue)
            try writer.write(integer: datagram.groupID)
            if !omitsObjectID {
                try writer.write(integer: datagram.objectID)
            }
            if let priority = publisherPriority {
                writer.write(byte: priority)
            }
            if !datagram.properties.isEmpty {
                try writer.write(prefixed: try datagram.properties.transcoded(to: coding).bytes)
            }
            if datagram.status != .normal {
                try writer.write(integer: UInt64(datagram.status.rawValue))
            }
        }
    }
}
