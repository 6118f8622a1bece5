// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Bytes of one receive stream that its reader has not consumed yet, in one piece.
struct IngressBuffer {
    private static let largestKept = 16 << 10

    private var storage: [UInt8] = []
    private var head = 0

    /// How many bytes are kept.
    var count: Int { self.storage.count - self.head }

    /// Whether nothing is kept.
    var isEmpty: Bool { self.count == 0 }

    /// The bytes kept.
    var span: RawSpan {
        @_lifetime(borrow self)
        get { unsafe self.storage.span.bytes.extracting(self.head..<self.storage.count) }
    }

    /// Adds bytes behind what is kept.
    mutating func append(_ span: RawSpan) {
        if self.head > 0, self.head >= self.storage.count / 2 {
            self.storage.removeFirst(self.head)
            self.head = 0
        }
        self.storage.append(contentsOf: span)
    }

    /// Forgets the first bytes, which were consumed.
    mutating func removeFirst(_ count: Int) {
        self.head += min(max(count, 0), self.count)
        guard self.head == self.storage.count else { return }
        self.storage.removeAll(keepingCapacity: self.storage.capacity <= Self.largestKept)
        self.head = 0
    }

    /// Takes the first bytes out, as many as are there and wanted.
    mutating func take(atMost maximum: Int) -> Bytes {
        let count = min(max(maximum, 0), self.count)
        let bytes = Bytes(copying: self.span.extracting(0..<count))
        self.removeFirst(count)
        return bytes
    }

    /// Forgets everything; returns how many bytes that were.
    mutating func removeAll() -> Int {
        let count = self.count
        self.storage = []
        self.head = 0
        return count
    }
}
