// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQWire

/// What a track of the moq-test protocol consists of, as its namespace says (draft-afrind-moq-test-01, "Track Namespace
/// Parameters").
///
/// The draft leaves room for interpretation; this type does what the known publishers do. Every group has the same
/// objects: from the start object in steps of the increment up to the last object, which is the largest id in any group.
/// With end-of-group markers, the last of these is the marker. The size of object 0 is that of the first object of each
/// group. A field that is left blank stands for the default, and since later drafts of the transport know no blank
/// fields, extensions can also be turned off with -1, and the delivery timeout with 0.
struct MoQTestTuple: Hashable, Sendable {
    /// How objects travel.
    enum Forwarding: UInt64, Hashable, Sendable {
        /// One subgroup per group.
        case subgroupPerGroup = 0
        /// One subgroup per object, with the id of the object.
        case subgroupPerObject = 1
        /// Subgroup 0 for objects with even ids, subgroup 1 for the others.
        case twoSubgroups = 2
        /// A datagram per object.
        case datagrams = 3
    }

    /// What the first field says.
    static let protocolName = "moq-test-00"
    /// How many fields a namespace has.
    static let fieldCount = 16
    /// The largest number in any field: the largest integer that every draft of the transport can write.
    static let maximumNumber: UInt64 = 1 << 62 - 1
    /// The largest object that this implementation publishes.
    static let maximumObjectSize: UInt64 = 4 << 20
    /// The longest pause between two objects, in milliseconds.
    static let maximumFrequency: UInt64 = 3_600_000

    /// How objects travel.
    var forwarding = Forwarding.subgroupPerGroup
    /// The first group.
    var startGroup: UInt64 = 0
    /// The first object of each group.
    var startObject: UInt64 = 0
    /// No group has a larger id.
    var lastGroup = Self.maximumNumber
    /// No object has a larger id; nil for what follows from ``objectsPerGroup``.
    var givenLastObject: UInt64?
    /// How many objects a group has, without the marker.
    var objectsPerGroup: UInt64 = 10
    /// How many bytes of payload the first object of a group has.
    var firstObjectSize: UInt64 = 1_024
    /// How many bytes of payload the other objects have.
    var otherObjectSize: UInt64 = 100
    /// How many milliseconds lie between two objects.
    var frequency: UInt64 = 1_000
    /// The distance between two groups.
    var groupIncrement: UInt64 = 1
    /// The distance between two objects.
    var objectIncrement: UInt64 = 1
    /// Whether the last object of each group is an End of Group.
    var hasMarkers = false
    /// Half of the type of the property with a random integer; nil for none.
    var integerExtension: UInt64?
    /// Half of the type, less one, of the property with random bytes; nil for none.
    var variableExtension: UInt64?
    /// The publisher's delivery timeout in milliseconds; nil for none.
    var deliveryTimeout: UInt64?

    /// Everything at its default.
    init() {}

    /// No object has a larger id.
    var lastObject: UInt64 {
        self.givenLastObject ?? self.object(after: self.objectsPerGroup - 1)
    }

    /// Whether the track goes on until nobody wants it any more.
    var isEndless: Bool {
        self.lastGroup == Self.maximumNumber
    }

    /// The id of the object so many increments after the first one, and one more if there is a marker.
    private func object(after steps: UInt64) -> UInt64 {
        let (distance, overflows) = (steps + (self.hasMarkers ? 1 : 0)).multipliedReportingOverflow(
            by: self.objectIncrement
        )
        let (sum, sumOverflows) = self.startObject.addingReportingOverflow(distance)
        return overflows || sumOverflows ? Self.maximumNumber : min(sum, Self.maximumNumber)
    }
}

/// Why a namespace is not one of a moq-test track, or of one that is not published here.
struct MoQTestTupleError: Error, Hashable, CustomStringConvertible {
    /// Whether the namespace has nothing to do with moq-test at all.
    var isForeign = false
    /// What is wrong, naming the field.
    var description: String
}

// MARK: Reading

extension MoQTestTuple {
    /// What messages call the fields.
    private static let names = [
        "protocol", "forwarding preference", "start group", "start object", "last group", "last object",
        "objects per group", "size of object 0", "size of other objects", "object frequency", "group increment",
        "object increment", "end-of-group markers", "integer extension", "variable extension", "delivery timeout",
    ]

    /// Reads a namespace.
    init(_ namespace: TrackNamespace) throws(MoQTestTupleError) {
        try self.init(fields: namespace.fields.map { String(decoding: $0, as: UTF8.self) })
    }

    /// Reads the fields of a namespace, separated by slashes. Blank fields have their defaults, and so have those that are
    /// left out at the end.
    init(parsing text: String) throws(MoQTestTupleError) {
        var fields = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        if fields.count < Self.fieldCount {
            fields += [String](repeating: "", count: Self.fieldCount - fields.count)
        }
        try self.init(fields: fields)
    }

    private init(fields: [String]) throws(MoQTestTupleError) {
        guard fields.first == Self.protocolName else {
            throw MoQTestTupleError(isForeign: true, description: "field 0 is not \(Self.protocolName)")
        }
        guard fields.count == Self.fieldCount else {
            throw MoQTestTupleError(description: "there are \(fields.count) fields, not \(Self.fieldCount)")
        }
        let preference = try Self.number(fields, 1, in: 0...3)
        self.forwarding = preference.flatMap { Forwarding(rawValue: $0) } ?? self.forwarding
        self.startGroup = try Self.number(fields, 2) ?? self.startGroup
        self.startObject = try Self.number(fields, 3) ?? self.startObject
        self.lastGroup = try Self.number(fields, 4) ?? self.lastGroup
        self.objectsPerGroup = try Self.number(fields, 6, in: 1...Self.maximumNumber) ?? self.objectsPerGroup
        let sizes = 0...Self.maximumObjectSize
        self.firstObjectSize = try Self.number(fields, 7, in: sizes) ?? self.firstObjectSize
        self.otherObjectSize = try Self.number(fields, 8, in: sizes) ?? self.otherObjectSize
        self.frequency = try Self.number(fields, 9, in: 0...Self.maximumFrequency) ?? self.frequency
        self.groupIncrement = try Self.number(fields, 10, in: 1...Self.maximumNumber) ?? self.groupIncrement
        self.objectIncrement = try Self.number(fields, 11, in: 1...Self.maximumNumber) ?? self.objectIncrement
        self.hasMarkers = try Self.number(fields, 12, in: 0...1) == 1
        self.integerExtension = try Self.extensionNumber(fields, 13)
        self.variableExtension = try Self.extensionNumber(fields, 14)
        let timeout = try Self.number(fields, 15)
        self.deliveryTimeout = timeout == 0 ? nil : timeout
        guard self.startGroup <= self.lastGroup else {
            throw Self.error(4, "is before the start group, \(self.startGroup)")
        }
        self.givenLastObject = try Self.number(
            fields,
            5,
            in: self.startObject...self.object(after: self.objectsPerGroup)
        )
    }

    /// The decimal number in a field; nil when the field is blank.
    private static func number(
        _ fields: [String],
        _ index: Int,
        in range: ClosedRange<UInt64> = 0...Self.maximumNumber
    ) throws(MoQTestTupleError) -> UInt64? {
        let text = fields[index]
        guard !text.isEmpty else {
            return nil
        }
        guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            throw self.error(index, "is not a number: '\(text.prefix(32))'")
        }
        guard let number = UInt64(text), range.contains(number) else {
            throw self.error(index, "is \(text.prefix(32)), not \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// The number of an extension; nil when there is none.
    private static func extensionNumber(_ fields: [String], _ index: Int) throws(MoQTestTupleError) -> UInt64? {
        guard fields[index] != "-1" else {
            return nil
        }
        // The type is twice the number, or one more.
        guard let number = try self.number(fields, index, in: 0...self.maximumNumber / 2) else {
            return nil
        }
        let type = 2 * number + (index == 14 ? 1 : 0)
        guard ![PropertyType.immutable, PropertyType.priorGroupIDGap, PropertyType.priorObjectIDGap].contains(type)
        else {
            throw self.error(index, "means property \(type), in which random values are an error")
        }
        return number
    }

    private static func error(_ index: Int, _ problem: String) -> MoQTestTupleError {
        MoQTestTupleError(description: "field \(index) (\(self.names[index])) \(problem)")
    }
}

// MARK: Writing

extension MoQTestTuple {
    /// The namespace that says the same, without blank fields.
    var namespace: TrackNamespace {
        TrackNamespace(self.fields)
    }

    /// The fields of the namespace, separated by slashes.
    var text: String {
        self.fields.joined(separator: "/")
    }

    private var fields: [String] {
        let numbers: [UInt64] = [
            self.forwarding.rawValue, self.startGroup, self.startObject, self.lastGroup, self.lastObject,
            self.objectsPerGroup, self.firstObjectSize, self.otherObjectSize, self.frequency, self.groupIncrement,
            self.objectIncrement, self.hasMarkers ? 1 : 0,
        ]
        let extensions = [self.integerExtension, self.variableExtension].map { $0.map { String($0) } ?? "-1" }
        return [Self.protocolName] + numbers.map { String($0) } + extensions + [String(self.deliveryTimeout ?? 0)]
    }
}
