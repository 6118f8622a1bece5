// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// An immutable run of bytes in reference-counted storage.
///
/// Copying the value and taking slices of it share the storage and cost a reference count, so that one received payload
/// can wait in the egress queues of any number of streams without being copied. Values may cross threads.
public struct Bytes: @unchecked Sendable {
    // Unchecked because `ManagedBuffer` withholds `Sendable`: what a value covers is never written after it was made.

    /// The memory that the value covers a part of; nil when it is empty.
    let storage: BytesStorage?
    /// Where in the storage the value begins.
    let offset: Int
    /// The number of bytes.
    public let count: Int

    /// Covers `count` bytes of `storage` from `offset`, which must be initialised and must not change any more.
    init(storage: BytesStorage, offset: Int, count: Int) {
        self.storage = count > 0 ? storage : nil
        self.offset = offset
        self.count = count
    }

    /// Makes an empty value; nothing is allocated.
    public init() {
        self.storage = nil
        self.offset = 0
        self.count = 0
    }

    /// Copies the bytes of a span.
    public init(copying span: RawSpan) {
        let count = span.byteCount
        guard count > 0 else {
            self.init()
            return
        }
        let storage = BytesStorage.allocate(capacity: count)
        unsafe span.copy(to: storage.base)
        self.init(storage: storage, offset: 0, count: count)
    }

    /// Copies two spans, one behind the other.
    init(joining first: RawSpan, _ second: RawSpan) {
        let count = first.byteCount + second.byteCount
        let storage = BytesStorage.allocate(capacity: count)
        unsafe first.copy(to: storage.base)
        unsafe second.copy(to: storage.base + first.byteCount)
        self.init(storage: storage, offset: 0, count: count)
    }

    /// Copies the bytes of an array.
    public init(_ array: [UInt8]) {
        unsafe self.init(copying: array.span.bytes)
    }

    /// Copies the UTF-8 bytes of a string.
    public init(utf8 string: String) {
        self.init(Array(string.utf8))
    }

    /// Allocates `capacity` bytes and lets `initialize` write as many of them as it likes; the value covers these.
    ///
    /// - Throws: what `initialize` throws.
    public init<Failure: Error>(
        capacity: Int,
        initializingWith initialize: (inout OutputRawSpan) throws(Failure) -> Void
    ) throws(Failure) {
        guard capacity > 0 else {
            self.init()
            return
        }
        let storage = BytesStorage.allocate(capacity: capacity)
        let buffer = unsafe UnsafeMutableRawBufferPointer(start: storage.base, count: capacity)
        var output = unsafe OutputRawSpan(buffer: buffer, initializedCount: 0)
        try initialize(&output)
        let count = unsafe output.finalize(for: buffer)
        self.init(storage: storage, offset: 0, count: count)
    }

    /// Whether there are no bytes.
    public var isEmpty: Bool { self.count == 0 }

    /// The bytes, readable as long as the value is borrowed.
    public var span: RawSpan {
        @_lifetime(borrow self)
        get {
            guard let storage = self.storage else { return RawSpan() }
            let span = unsafe RawSpan(_unsafeStart: storage.base + self.offset, byteCount: self.count)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// The byte at a position, which must be within `0..<count`.
    public subscript(position: Int) -> UInt8 {
        self.span.byte(at: position)
    }

    /// Covers a part of the same storage; `range` must lie within `0..<count`.
    public func slice(_ range: Range<Int>) -> Bytes {
        precondition(range.lowerBound >= 0 && range.upperBound <= self.count, "slice out of bounds")
        guard let storage = self.storage else { return self }
        return Bytes(storage: storage, offset: self.offset + range.lowerBound, count: range.count)
    }

    /// Covers the part of the same storage that a span shows; nil when the span shows other memory.
    func slice(at part: RawSpan) -> Bytes? {
        guard let storage = self.storage else { return nil }
        let start = unsafe Int(bitPattern: storage.base) &+ self.offset
        let distance = unsafe part.withUnsafeBytes { Int(bitPattern: $0.baseAddress) &- start }
        guard distance >= 0, part.byteCount <= self.count, distance <= self.count - part.byteCount else { return nil }
        return self.slice(distance..<distance + part.byteCount)
    }

    /// Covers `next` as well, without copying anything, when that is what lies right behind in the same storage. Returns whether
    /// it does; nothing changes when it does not.
    package mutating func extend(by next: Bytes) -> Bool {
        guard self.storage === next.storage, self.offset + self.count == next.offset,
            let storage = self.storage
        else {
            return false
        }
        self = Bytes(storage: storage, offset: self.offset, count: self.count + next.count)
        return true
    }

    /// The first `length` bytes, or all if there are fewer.
    public func prefix(_ length: Int) -> Bytes {
        self.slice(0..<min(max(length, 0), self.count))
    }

    /// Everything after the first `length` bytes; empty if there are no more.
    public func dropFirst(_ length: Int = 1) -> Bytes {
        self.slice(min(max(length, 0), self.count)..<self.count)
    }

    /// Adds the bytes to the end of an array.
    public func append(to array: inout [UInt8]) {
        array.append(contentsOf: self.span)
    }

    /// A copy of the bytes as an array.
    public var array: [UInt8] {
        var array: [UInt8] = []
        array.append(contentsOf: self.span)
        return array
    }
}

extension Bytes: Equatable {
    /// Compares by content.
    public static func == (left: Bytes, right: Bytes) -> Bool {
        guard left.count == right.count else { return false }
        return left.span.hasSameBytes(as: right.span)
    }
}

extension Bytes: Hashable {
    /// Hashes the content.
    public func hash(into hasher: inout Hasher) {
        unsafe self.span.withUnsafeBytes { buffer in
            unsafe hasher.combine(bytes: buffer)
        }
    }
}

extension Bytes: ExpressibleByArrayLiteral {
    /// Copies the listed bytes.
    public init(arrayLiteral elements: UInt8...) {
        self.init(elements)
    }
}

extension Bytes: CustomStringConvertible {
    /// The number of bytes and the first of them in hexadecimal.
    public var description: String {
        let shown = self.prefix(32)
        var digits = ""
        for position in 0..<shown.count {
            let byte = shown[position]
            digits += byte < 16 ? "0" + String(byte, radix: 16) : String(byte, radix: 16)
        }
        let rest = shown.count < self.count ? "..." : ""
        return "\(self.count) bytes: \(digits)\(rest)"
    }
}
