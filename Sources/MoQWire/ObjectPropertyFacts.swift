// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What the properties of an object say about other objects, and what in them makes its track malformed whatever else came.
public struct ObjectPropertyFacts: Hashable, Sendable {
    /// What is wrong with the properties.
    public enum Fault: Hashable, Sendable {
        /// IMMUTABLE is there twice, cannot be read, or has another IMMUTABLE inside (draft-18 §12.7).
        case immutable
        /// PRIOR_GROUP_ID_GAP or PRIOR_OBJECT_ID_GAP is there twice (draft-18 §12.8 and §12.9).
        case repeatedGap
        /// A property of this type belongs to tracks that must be understood, not to objects (draft-18 §2.5.1). Drafts
        /// before 18 have no such range: there it is an ordinary property.
        case mandatory(UInt64)
    }

    /// How many groups before that of the object do not exist, if it says so.
    public var priorGroupGap: UInt64?
    /// How many objects before the object do not exist, if it says so.
    public var priorObjectGap: UInt64?
    /// The first fault; a mandatory property only if there is no other.
    public var fault: Fault?

    /// Makes a value of its parts.
    public init(priorGroupGap: UInt64? = nil, priorObjectGap: UInt64? = nil, fault: Fault? = nil) {
        self.priorGroupGap = priorGroupGap
        self.priorObjectGap = priorObjectGap
        self.fault = fault
    }
}

extension PropertyList {
    /// What the list says as that of an object. Reads it once, and copies nothing.
    public var objectFacts: ObjectPropertyFacts {
        var facts = ObjectPropertyFacts()
        guard !self.isEmpty else {
            return facts
        }
        facts.read(WireReader(self.span, integers: self.coding.integers), keys: self.coding.keys, isImmutable: false)
        return facts
    }
}

extension ObjectPropertyFacts {
    /// Reads the pairs of a list, or of the list inside of IMMUTABLE.
    fileprivate mutating func read(_ reader: WireReader, keys: KeyCoding, isImmutable: Bool) {
        var walker = KeyValueReader(reader, keys: keys)
        var hasImmutable = isImmutable
        while !walker.isAtEnd {
            do throws(MoQWireError) {
                let head = try walker.nextHead()
                let value = try walker.reader.readSlice(head.length)
                switch head.type {
                case PropertyType.immutable where hasImmutable:
                    self.fail(.immutable)
                case PropertyType.immutable:
                    hasImmutable = true
                    self.read(value, keys: keys, isImmutable: true)
                case PropertyType.priorGroupIDGap:
                    self.check(isNew: self.priorGroupGap == nil)
                    self.priorGroupGap = self.priorGroupGap ?? head.integer
                case PropertyType.priorObjectIDGap:
                    self.check(isNew: self.priorObjectGap == nil)
                    self.priorObjectGap = self.priorObjectGap ?? head.integer
                case PropertyType.mandatory:
                    self.fault = self.fault ?? .mandatory(head.type)
                default:
                    break
                }
            } catch {
                // The outer list was read when it came, so it is the inner one.
                self.fail(.immutable)
                return
            }
        }
    }

    private mutating func check(isNew: Bool) {
        if !isNew {
            self.fail(.repeatedGap)
        }
    }

    private mutating func fail(_ fault: Fault) {
        switch self.fault {
        case nil, .mandatory: self.fault = fault
        case .immutable, .repeatedGap: break
        }
    }
}
