// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Writes the headers of a subgroup stream (draft-18 §11.4.2, "Subgroup Header").
///
/// The payload is not its business: the owner of the stream writes it after the header of its object.
public struct SubgroupStreamEncoder: Sendable {
    /// The most bytes that the header of a stream takes.
    public static let maximumHeaderLength = 4 * WireWriter.maximumIntegerLength + 1
    /// The most bytes that the header of an object takes, without its properties.
    public static let maximumObjectHeaderLength = 4 * WireWriter.maximumIntegerLength

    private let rules: DataPlaneRules
    private var hasProperties = false
    private var previousObjectID: UInt64?

    /// Starts before the first byte of a stream.
    public init(profile: DraftProfile) {
        self.rules = profile.data
    }

    /// Appends the header of the stream, which comes before everything else, once. A draft that cannot say
    /// `isFirstObject` leaves it out.
    ///
    /// - Throws: when a number does not fit the draft's integers, or the draft cannot leave out the priority.
    public mutating func encode(_ header: SubgroupHeader, into bytes: inout [UInt8]) throws(MoQWireError) {
        let bits = self.rules.subgroupTypeBits
        var type = SubgroupTypeBits.base
        if header.hasProperties {
            type |= SubgroupTypeBits.properties
        }
        if header.containsEndOfGroup {
            type |= SubgroupTypeBits.endOfGroup
        }
        if header.isFirstObject {
            type |= SubgroupTypeBits.firstObject & bits
        }
        if header.publisherPriority == nil {
            guard bits & SubgroupTypeBits.defaultPriority != 0 else {
                throw .notExpressible("a subgroup must state its priority in this draft")
            }
            type |= SubgroupTypeBits.defaultPriority
        }
        switch header.subgroupID {
        case .zero: break
        case .firstObject: type |= 0x02
        case .explicit: type |= 0x04
        }
        try WireWriter.append(to: &bytes, integers: self.rules.coding.integers) { writer throws(MoQWireError) in
            try writer.write(integer: type)
            try writer.write(integer: header.trackAlias.rawValue)
            try writer.write(integer: header.groupID)
            if case .explicit(let id) = header.subgroupID {
                try writer.write(integer: id)
            }
            if let priority = header.publisherPriority {
                writer.write(byte: priority)
            }
        }
        self.hasProperties = header.hasProperties
    }

    /// Appends the header of the next object.
    ///
    /// - Throws: when the object id is not larger than the one before, when there are properties although the header of the
    ///   stream or the status rules them out, or when a number does not fit. The encoder is then as it was.
    public mutating func encode(_ object: ObjectHeader, into bytes: inout [UInt8]) throws(MoQWireError) {
        guard object.status.isKnown(in: self.rules) else {
            throw .notExpressible("this draft has no status for objects that do not exist")
        }
        guard object.status == .normal || object.payloadLength == 0,
            object.properties.isEmpty || object.status.allowsProperties(in: self.rules)
        else {
            throw .notExpressible("an object that is not normal has neither payload nor properties")
        }
        guard self.hasProperties || object.properties.isEmpty else {
            throw .notExpressible("the header of the subgroup rules out properties")
        }
        var delta = object.objectID
        if let previous = self.previousObjectID {
            guard object.objectID > previous else {
                throw .notExpressible("the object ids of a subgroup must ascend")
            }
            delta = object.objectID - previous - 1
        }
        let hasProperties = self.hasProperties
        let coding = self.rules.coding
        try WireWriter.append(to: &bytes, integers: coding.integers) { writer throws(MoQWireError) in
            try writer.write(integer: delta)
            if hasProperties {
                try writer.write(prefixed: try object.properties.transcoded(to: coding).bytes)
            }
            try writer.write(integer: object.payloadLength)
            if object.payloadLength == 0 {
                try writer.write(integer: UInt64(object.status.rawValue))
            }
        }
        self.previousObjectID = object.objectID
    }
}
