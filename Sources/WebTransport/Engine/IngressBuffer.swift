// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Bytes of one receive stream that its reader has not consumed yet.
///
/// They lie in blocks of bounded size. A single one would be copied again and again as it grows, and memory as large as a
/// window comes from the system and goes back to it, each time that a stream is paused. What a reader needs in one piece can
/// lie across two blocks; ``bridge()`` puts it together.
struct IngressBuffer {
    private static let smallestBlock = 256
    /// What glibc takes from the system by itself, with calls and page faults, begins at 128 KiB.
    private static let largestBlock = 120 << 10
    /// The least that ``bridge()`` adds: what lies across two blocks is most often a short header.
    private static let smallestBridge = 256

    /// Some of the bytes. They stay where they are: who reads them may be adding more.
    private struct Block {
        let storage: BytesStorage
        /// Where in the storage they begin and end.
        var head = 0
        var end = 0

        init(capacity: Int) {
            self.storage = BytesStorage.allocate(capacity: capacity)
        }

        var count: Int { self.end - self.head }
        var room: Int { self.storage.byteCapacity - self.end }
        var bytes: Bytes { Bytes(storage: self.storage, offset: self.head, count: self.count) }

        /// Adds as many of the bytes as there is room for; returns how many that are.
        mutating func append(_ span: RawSpan) -> Int {
            let count = min(span.byteCount, self.room)
            unsafe span.extracting(first: count).copy(to: self.storage.base + self.end)
            self.end += count
            return count
        }

        /// The same bytes in a block with room for others behind them.
        func enlarged(to capacity: Int) -> Block {
            var block = Block(capacity: capacity)
            _ = block.append(self.bytes.span)
            return block
        }
    }

    /// Oldest first; none of them is empty.
    private var blocks: [Block] = []

    /// How many bytes are kept.
    private(set) var count = 0

    /// Whether nothing is kept.
    var isEmpty: Bool { self.count == 0 }

    /// The first bytes, as many as lie in one piece; shares the buffer's memory.
    var first: Bytes { self.blocks.first?.bytes ?? Bytes() }

    /// All of the bytes, in one piece.
    var joined: Bytes {
        guard self.blocks.count > 1 else { return self.first }
        var whole = Block(capacity: self.count)
        for block in self.blocks { _ = whole.append(block.bytes.span) }
        return whole.bytes
    }

    /// Adds bytes behind what is kept.
    mutating func append(_ span: RawSpan) {
        let last = self.blocks.count - 1
        var added = 0
        if last >= 0 {
            let needed = self.blocks[last].count + span.byteCount
            if span.byteCount > self.blocks[last].room, needed <= Self.largestBlock {
                self.blocks[last] = self.blocks[last].enlarged(to: min(2 * needed, Self.largestBlock))
            }
            added = self.blocks[last].append(span)
        }
        while added < span.byteCount {
            let rest = span.extracting(added...)
            // Behind a full block there will be more.
            let wanted = last >= 0 ? Self.largestBlock : max(rest.byteCount, Self.smallestBlock)
            var block = Block(capacity: min(wanted, Self.largestBlock))
            added += block.append(rest)
            self.blocks.append(block)
        }
        self.count += span.byteCount
    }

    /// Adds bytes in front of what is kept.
    mutating func prepend(_ span: RawSpan) {
        let kept = replace(&self, with: IngressBuffer())
        self.append(span)
        self.blocks.append(contentsOf: kept.blocks)
        self.count += kept.count
    }

    /// Forgets the first bytes, which were consumed.
    mutating func removeFirst(_ count: Int) {
        var left = min(max(count, 0), self.count)
        self.count -= left
        while left > 0 {
            let removed = min(left, self.blocks[0].count)
            left -= removed
            self.blocks[0].head += removed
            if self.blocks[0].count == 0 { self.blocks.removeFirst() }
        }
    }

    /// Makes ``first`` about twice as long, for who needs more in one piece; returns false when it is everything already.
    mutating func bridge() -> Bool {
        guard self.blocks.count > 1 else { return false }
        let piece = self.blocks[1].bytes.prefix(max(self.blocks[0].count, Self.smallestBridge))
        if piece.count > self.blocks[0].room {
            // With room for what follows: who needs much in one piece comes back with each packet.
            self.blocks[0] = self.blocks[0].enlarged(to: 2 * (self.blocks[0].count + piece.count))
        }
        _ = self.blocks[0].append(piece.span)
        self.blocks[1].head += piece.count
        if self.blocks[1].count == 0 { self.blocks.remove(at: 1) }
        return true
    }

    /// Takes the first bytes out, as many as are wanted and lie in one piece. A copy, so that who holds few of them does not
    /// hold a whole block.
    mutating func take(atMost maximum: Int) -> Bytes {
        let bytes = Bytes(copying: self.first.prefix(maximum).span)
        self.removeFirst(bytes.count)
        return bytes
    }

    /// Forgets everything; returns how many bytes that were.
    mutating func removeAll() -> Int {
        replace(&self, with: IngressBuffer()).count
    }
}
