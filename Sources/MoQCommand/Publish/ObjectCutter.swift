// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import WebTransport

/// Cuts a stream of input into the payloads of objects, without copying.
///
/// Blocks go in as they were read; objects come out as slices of them. The pieces of all objects, put together in
/// order, are the input again, byte for byte.
struct ObjectCutter {
    /// Where one object ends and the next begins.
    enum Rule: Hashable, Sendable {
        /// Every object has this many bytes; the last one may have fewer.
        case size(Int)
        /// An object per line, with its line feed. Longer lines are split at this many bytes.
        case lines(maximum: Int)
    }

    /// The payload of one object.
    struct Piece {
        /// Its bytes in order, at least one run unless the object is empty.
        var parts: [Bytes] = []
        /// How many bytes they are together.
        var count = 0

        /// The payload in one run. Copies only when it lies in several.
        var joined: Bytes {
            guard self.parts.count != 1, self.count > 0 else {
                return self.parts.first ?? Bytes()
            }
            var all: [UInt8] = []
            all.reserveCapacity(self.count)
            for part in self.parts {
                part.append(to: &all)
            }
            return Bytes(all)
        }
    }

    private let rule: Rule
    private var block = Bytes()
    private var begun = Piece()

    /// Makes a cutter that has seen no input.
    init(rule: Rule) {
        self.rule = rule
    }

    /// How many bytes went in and did not come out.
    var heldByteCount: Int {
        self.block.count + self.begun.count
    }

    /// Whether the block that was appended last is used up, so that the next one may come.
    var needsInput: Bool {
        self.block.isEmpty
    }

    /// Adds the next block of input. Precondition: the previous one is used up.
    mutating func append(_ block: Bytes) {
        precondition(self.block.isEmpty, "a block was appended before the previous one was used up")
        self.block = block
    }

    /// The next complete object, or nil when it takes more input to complete one.
    mutating func next() -> Piece? {
        guard !self.block.isEmpty else { return nil }
        let limit: Int
        var isComplete: Bool
        switch self.rule {
        case .size(let size):
            limit = min(size - self.begun.count, self.block.count)
            isComplete = self.begun.count + limit == size
        case .lines(let maximum):
            let room = min(maximum - self.begun.count, self.block.count)
            if let feed = Self.firstLineFeed(in: self.block, upTo: room) {
                limit = feed + 1
                isComplete = true
            } else {
                limit = room
                isComplete = self.begun.count + room == maximum
            }
        }
        self.begun.parts.append(self.block.prefix(limit))
        self.begun.count += limit
        self.block = self.block.dropFirst(limit)
        guard isComplete else { return nil }
        return self.takeBegun()
    }

    /// The object that the end of the input completes, if one was begun. Precondition: ``next()`` returned nil.
    mutating func finish() -> Piece? {
        self.begun.count > 0 ? self.takeBegun() : nil
    }

    private mutating func takeBegun() -> Piece {
        let piece = self.begun
        self.begun = Piece()
        return piece
    }

    private static func firstLineFeed(in block: Bytes, upTo end: Int) -> Int? {
        let span = block.span
        return unsafe span.withUnsafeBytes { buffer in
            unsafe buffer[..<end].firstIndex(of: UInt8(ascii: "\n"))
        }
    }
}
