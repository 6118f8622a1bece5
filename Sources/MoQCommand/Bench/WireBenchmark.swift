// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQWire

/// Writes the objects of a subgroup stream into memory and reads them from there, with the codec and nothing else.
struct WireBenchmark {
    /// What was measured.
    struct Report {
        /// The draft.
        let draft: DraftVersion
        /// How many objects were written and read.
        let objects: Int
        /// Nanoseconds to write an object, its payload included.
        let serialise: Double
        /// Nanoseconds to read an object.
        let parse: Double

        /// How many objects are written and read in a second.
        var objectsPerSecond: Double {
            1e9 / max(self.serialise + self.parse, 1e-3)
        }
    }

    /// How many objects are written before they are read: as much as a transport hands over at a time.
    private static let batch = 256

    /// What was read so far.
    private struct Found {
        var objects = 0
        var payload = 0
        var lastID: UInt64?
    }

    private let draft: DraftVersion
    private let payload: [UInt8]
    private var encoder: SubgroupStreamEncoder
    private var parser: SubgroupStreamParser
    private var bytes: [UInt8] = []
    private var found = Found()

    private init(_ profile: DraftProfile, payloadLength: Int) {
        self.draft = profile.version
        self.payload = [UInt8](repeating: 0x5A, count: payloadLength)
        self.encoder = SubgroupStreamEncoder(profile: profile)
        self.parser = SubgroupStreamParser(profile: profile)
    }

    /// Measures with objects of this length, on the calling thread.
    ///
    /// - Throws: a failure when what was read is not what was written.
    static func run(_ profile: DraftProfile, objects: Int, payloadLength: Int) throws -> Report {
        var benchmark = WireBenchmark(profile, payloadLength: payloadLength)
        return try benchmark.run(objects)
    }

    private mutating func run(_ objects: Int) throws -> Report {
        let clock = ContinuousClock()
        var serialising = Duration.zero
        var parsing = Duration.zero
        try self.encoder.encode(
            SubgroupHeader(trackAlias: TrackAlias(7), groupID: 3, publisherPriority: 128),
            into: &self.bytes
        )
        // Before the first measurement the buffer grows to its size.
        var next = try self.write(0, Self.batch)
        try self.read()
        while next < objects {
            let count = min(Self.batch, objects - next)
            let start = clock.now
            next = try self.write(next, count)
            let middle = clock.now
            try self.read()
            serialising += start.duration(to: middle)
            parsing += middle.duration(to: clock.now)
        }
        guard self.found.objects == next, self.found.payload == next * self.payload.count,
            self.found.lastID == UInt64(next - 1)
        else {
            throw CommandFailure(
                "\(self.draft): \(next) objects were written, and \(self.found.objects) with \(self.found.payload) bytes read"
            )
        }
        let measured = Double(max(1, next - Self.batch))
        return Report(
            draft: self.draft,
            objects: next,
            serialise: serialising / .nanoseconds(1) / measured,
            parse: parsing / .nanoseconds(1) / measured
        )
    }

    /// Appends objects from this id on; returns the id after the last.
    private mutating func write(_ first: Int, _ count: Int) throws(MoQWireError) -> Int {
        for id in first..<(first + count) {
            try self.encoder.encode(
                ObjectHeader(objectID: UInt64(id), payloadLength: UInt64(self.payload.count)),
                into: &self.bytes
            )
            self.bytes.append(contentsOf: self.payload)
        }
        return first + count
    }

    /// Reads everything that was appended, and makes room.
    private mutating func read() throws(MoQWireError) {
        // A buffer that is read from cannot be part of what changes meanwhile.
        var bytes: [UInt8] = []
        swap(&bytes, &self.bytes)
        try Self.read(unsafe bytes.span.bytes, &self.parser, &self.found)
        bytes.removeAll(keepingCapacity: true)
        swap(&bytes, &self.bytes)
    }

    private static func read(
        _ bytes: RawSpan,
        _ parser: inout SubgroupStreamParser,
        _ found: inout Found
    ) throws(MoQWireError) {
        var offset = 0
        while true {
            let (event, consumed) = try parser.next(in: bytes.extracting(offset...))
            offset += consumed
            switch event {
            case .header:
                break
            case .object(let object):
                found.objects += 1
                found.lastID = object.objectID
            case .payload(let count, _):
                found.payload += count
            case .needMore:
                return
            }
        }
    }
}
