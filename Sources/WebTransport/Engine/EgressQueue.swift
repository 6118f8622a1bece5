// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import DequeModule

/// The bytes of one stream that wait for the transport, oldest first.
///
/// Payloads are queued by reference. Small pieces (stream and object headers, short payloads) are packed one behind the
/// other into a buffer that the queue owns, so that many small writes are few chunks.
struct EgressQueue {
    /// Payloads up to this size are cheaper to copy than to queue.
    static let packLimit = 96
    private static let smallestTail = 256
    private static let largestTail = 4_096

    /// How many bytes wait.
    private(set) var byteCount = 0

    /// Some of the bytes.
    private struct Chunk {
        /// The memory that they are part of; nil while that is ``tail``, so that packing a small piece counts no reference.
        var storage: BytesStorage?
        var offset: Int
        var count: Int
    }

    /// With room for the header of a stream, an object and the next one.
    private var chunks = Deque<Chunk>(minimumCapacity: 4)
    /// How many bytes of the first chunk were taken already.
    private var headOffset = 0
    /// The buffer that small pieces are packed into, and how much of it is used.
    private var tail: BytesStorage?
    private var tailUsed = 0
    /// Whether somebody holds a part of that buffer by reference.
    private var isTailLent = false
    /// How many of the chunks were queued before there was that buffer, and so are not part of it.
    private var chunksBeforeTail = 0

    /// How many chunks hold the bytes.
    var chunkCount: Int { self.chunks.count }

    /// Queues bytes behind what is there; large ones by reference.
    mutating func append(_ bytes: Bytes) {
        guard !bytes.isEmpty else { return }
        if bytes.count <= Self.packLimit {
            self.append(copying: bytes.span)
        } else {
            self.appendChunk(of: bytes)
        }
    }

    /// Queues a copy of bytes behind what is there.
    mutating func append(copying span: RawSpan) {
        let count = span.byteCount
        guard count > 0 else { return }
        guard count <= Self.largestTail / 4 else {
            self.appendChunk(of: Bytes(copying: span))
            return
        }
        self.makeRoomInTail(for: count)
        guard let target = unsafe self.tail?.base else { return }
        let offset = self.tailUsed
        unsafe span.copy(to: target + offset)
        self.tailUsed = offset + count
        self.byteCount += count
        let end = self.chunks.count - 1
        if end >= 0, self.chunks[end].storage == nil, self.chunks[end].offset + self.chunks[end].count == offset {
            self.chunks[end].count += count
        } else {
            self.chunks.append(Chunk(storage: nil, offset: offset, count: count))
        }
    }

    private mutating func appendChunk(of bytes: Bytes) {
        self.byteCount += bytes.count
        let end = self.chunks.count - 1
        if end >= 0, self.chunks[end].storage === bytes.storage,
            self.chunks[end].offset + self.chunks[end].count == bytes.offset
        {
            // The next piece of one block.
            self.chunks[end].count += bytes.count
        } else {
            self.chunks.append(Chunk(storage: bytes.storage, offset: bytes.offset, count: bytes.count))
        }
    }

    /// Sees to it that the packing buffer has room for `count` more bytes; a new one is larger than the one before it.
    private mutating func makeRoomInTail(for count: Int) {
        if let capacity = self.tail?.byteCapacity {
            // Nothing queued means that nobody else can see the buffer any more: start again at its beginning.
            if self.chunks.isEmpty, !self.isTailLent { self.tailUsed = 0 }
            if capacity - self.tailUsed >= count { return }
        }
        let previous = self.tail
        for index in self.chunksBeforeTail..<self.chunks.count where self.chunks[index].storage == nil {
            self.chunks[index].storage = previous
        }
        self.chunksBeforeTail = self.chunks.count
        let capacity = min((previous?.byteCapacity ?? Self.smallestTail / 4) * 4, Self.largestTail)
        self.tail = BytesStorage.allocate(capacity: max(capacity, count))
        self.tailUsed = 0
        self.isTailLent = false
    }

    /// Forgets the first chunk, all of which was taken.
    @discardableResult
    private mutating func removeFirstChunk() -> Chunk {
        self.headOffset = 0
        self.chunksBeforeTail = max(self.chunksBeforeTail - 1, 0)
        return self.chunks.removeFirst()
    }

    /// Moves the first bytes into `buffer`, as many as fit and are there; returns how many.
    mutating func take(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        guard let target = buffer.baseAddress else { return 0 }
        let wanted = min(buffer.count, self.byteCount)
        var written = 0
        while written < wanted {
            let start = self.headOffset
            let rest = self.chunks[0].count - start
            let part = min(rest, wanted - written)
            if part == rest {
                let chunk = self.removeFirstChunk()
                unsafe self.copy(part, of: chunk, from: start, to: target + written)
            } else {
                unsafe self.copy(part, of: self.chunks[0], from: start, to: target + written)
                self.headOffset += part
            }
            written += part
        }
        self.byteCount -= written
        return written
    }

    private func copy(_ count: Int, of chunk: Chunk, from start: Int, to target: UnsafeMutableRawPointer) {
        if let base = unsafe chunk.storage == nil ? self.tail?.base : chunk.storage?.base {
            unsafe target.copyMemory(from: base + chunk.offset + start, byteCount: count)
        }
    }

    /// Moves the first bytes, up to `maximum` of them, behind `target`, by reference; returns how many.
    mutating func take(atMost maximum: Int, to target: inout [Bytes]) -> Int {
        let wanted = min(max(maximum, 0), self.byteCount)
        var taken = 0
        while taken < wanted, let chunk = self.chunks.first {
            let part = min(chunk.count - self.headOffset, wanted - taken)
            if let storage = chunk.storage ?? self.tail {
                target.append(Bytes(storage: storage, offset: chunk.offset + self.headOffset, count: part))
            }
            if chunk.storage == nil { self.isTailLent = true }
            taken += part
            self.headOffset += part
            if self.headOffset == chunk.count {
                self.removeFirstChunk()
            }
        }
        self.byteCount -= taken
        return taken
    }

    /// Forgets everything; returns how many bytes that were.
    mutating func removeAll() -> Int {
        let count = self.byteCount
        self.chunks = []
        self.byteCount = 0
        self.headOffset = 0
        self.tail = nil
        self.tailUsed = 0
        self.isTailLent = false
        self.chunksBeforeTail = 0
        return count
    }
}
