// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Walks over key-value pairs without copying them (draft-18 §1.4.3, "Key-Value-Pair Structure").
struct KeyValueReader: ~Escapable {
    /// One pair: its type, and either its integer or the length of its bytes, which come next in `reader`.
    struct Head {
        /// The type.
        var type: UInt64
        /// The integer of an even type.
        var integer: UInt64
        /// The length of the bytes of an odd type.
        var length: Int

        /// Whether the pair carries bytes.
        var isBytes: Bool {
            self.type & 1 == 1
        }
    }

    var reader: WireReader
    private let keys: KeyCoding
    private var previous: UInt64 = 0

    /// Starts at the position of the reader and goes on to its end.
    @_lifetime(copy reader)
    init(_ reader: consuming WireReader, keys: KeyCoding) {
        self.reader = reader
        self.keys = keys
    }

    /// Whether all pairs have been read.
    var isAtEnd: Bool {
        self.reader.isAtEnd
    }

    /// Reads the type of the next pair, and its integer or its length. Of a pair with bytes, the caller must take or skip
    /// `length` bytes before the next call; they are all there.
    ///
    /// - Throws: a violation when the type or the length is too large, or the pair goes beyond the end.
    mutating func nextHead() throws(MoQWireError) -> Head {
        let key = try self.reader.readInteger()
        let type: UInt64
        switch self.keys {
        case .absolute:
            type = key
        case .delta:
            let (sum, overflow) = self.previous.addingReportingOverflow(key)
            guard !overflow else {
                throw .violation("the type of a key-value pair exceeds 64 bits")
            }
            type = sum
        }
        self.previous = type
        if type & 1 == 0 {
            return Head(type: type, integer: try self.reader.readInteger(), length: 0)
        }
        let length = try self.reader.readLength(
            limit: KeyValuePair.maximumValueLength,
            "the value of a key-value pair exceeds 65,535 bytes"
        )
        return Head(type: type, integer: 0, length: length)
    }

    /// Reads the next pair as a value of its own.
    mutating func nextPair() throws(MoQWireError) -> KeyValuePair {
        let head = try self.nextHead()
        let pair =
            head.isBytes
            ? KeyValuePair(type: head.type, bytes: try self.reader.readBytes(head.length))
            : KeyValuePair(type: head.type, integer: head.integer)
        guard let pair else {
            throw .violation("a key-value pair does not have the form of its type")
        }
        return pair
    }

    /// Walks to the end and throws when the pairs do not fill the bytes exactly.
    mutating func validate() throws(MoQWireError) {
        while !self.isAtEnd {
            let head = try self.nextHead()
            _ = self.reader.skip(head.length)
        }
    }
}

extension WireWriter {
    /// Appends pairs in the order of their types, if the coding demands it, else as they are.
    mutating func write(pairs: [KeyValuePair], keys: KeyCoding) throws(MoQWireError) {
        var previous: UInt64 = 0
        // The sort keeps the order of pairs of one type, whose order may mean something.
        let sorted = keys == .delta ? Self.stablySorted(pairs) : pairs
        for pair in sorted {
            try self.write(integer: keys == .delta ? pair.type &- previous : pair.type)
            previous = pair.type
            switch pair.value {
            case .integer(let value):
                try self.write(integer: value)
            case .bytes(let bytes):
                try self.write(prefixed: bytes)
            }
        }
    }

    /// The pairs in the order of their types; those of one type stay in theirs.
    static func stablySorted(_ pairs: [KeyValuePair]) -> [KeyValuePair] {
        pairs.enumerated()
            .sorted { ($0.element.type, $0.offset) < ($1.element.type, $1.offset) }
            .map(\.element)
    }
}
