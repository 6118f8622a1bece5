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

    private var chunks: Deque<Bytes> = []
    /// How many bytes of the first chunk were taken already.
    private var headOffset = 0
    /// The buffer that small pieces are packed into, and how much of it is used.
    private var tail: BytesStorage?
    private var tailUsed = 0
    /// Whether somebody holds a part of that buffer by reference.
    private var isTailLent = false

    /// How many chunks hold the bytes.
    var chunkCount: Int { self.chunks.count }

    /// Queues bytes behind what is there; large ones by reference.
    mutating func append(_ bytes: Bytes) {
        guard !bytes.isEmpty else { return }
        if bytes.count <= Self.packLimit {
            self.append(copying: bytes.span)
        } else {
            self.chunks.append(bytes)
            self.byteCount += bytes.count
        }
    }

    /// Queues a copy of bytes behind what is there.
    mutating func append(copying span: RawSpan) {
        let count = span.byteCount
        guard count > 0 else { return }
        guard count <= Self.largestTail / 4 else {
            self.chunks.append(Bytes(copying: span))
            self.byteCount += count
            return
        }
        let storage = self.tailWithRoom(for: count)
        let offset = self.tailUsed
        unsafe span.withUnsafeBytes { source in
            if let base = source.baseAddress {
                unsafe (storage.base + offset).copyMemory(from: base, byteCount: count)
            }
        }
        self.tailUsed = offset + count
        self.byteCount += count
        if let last = self.chunks.last, last.storage === storage, last.offset + last.count == offset {
            let end = self.chunks.count - 1
            self.chunks[end] = Bytes(storage: storage, offset: last.offset, count: last.count + count)
        } else {
            self.chunks.append(Bytes(storage: storage, offset: offset, count: count))
        }
    }

    /// The packing buffer, with room for `count` more bytes; a new one is larger than the one before it.
    private mutating func tailWithRoom(for count: Int) -> BytesStorage {
        if let tail = self.tail {
            // Nothing queued means that nobody else can see the buffer any more: start again at its beginning.
            if self.chunks.isEmpty, !self.isTailLent { self.tailUsed = 0 }
            if tail.byteCapacity - self.tailUsed >= count { return tail }
        }
        let previous = self.tail?.byteCapacity ?? Self.smallestTail / 4
        let capacity = max(min(previous * 4, Self.largestTail), count)
        let storage = BytesStorage.allocate(capacity: capacity)
        self.tail = storage
        self.tailUsed = 0
        self.isTailLent = false
        return storage
    }

    /// Moves the first bytes into `buffer`, as many as fit and are there; returns how many.
    mutating func take(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        guard let target = buffer.baseAddress else { return 0 }
        let wanted = min(buffer.count, self.byteCount)
        var written = 0
        while written < wanted, let chunk = self.chunks.first {
            let part = min(chunk.count - self.headOffset, wanted - written)
            if let storage = chunk.storage {
                unsafe (target + written).copyMemory(
                    from: storage.base + chunk.offset + self.headOffset,
                    byteCount: part
                )
            }
            written += part
            self.headOffset += part
            if self.headOffset == chunk.count {
                self.chunks.removeFirst()
                self.headOffset = 0
            }
        }
        self.byteCount -= written
        return written
    }

    /// Moves the first bytes, up to `maximum` of them, behind `target`, by reference; returns how many.
    mutating func take(atMost maximum: Int, to target: inout [Bytes]) -> Int {
        let wanted = min(max(maximum, 0), self.byteCount)
        var taken = 0
        while taken < wanted, let chunk = self.chunks.first {
            let part = min(chunk.count - self.headOffset, wanted - taken)
            target.append(chunk.slice(self.headOffset..<self.headOffset + part))
            if chunk.storage === self.tail { self.isTailLent = true }
            taken += part
            self.headOffset += part
            if self.headOffset == chunk.count {
                self.chunks.removeFirst()
                self.headOffset = 0
            }
        }
        self.byteCount -= taken
        return taken
    }

    /// Forgets everything; returns how many bytes that were.
    mutating func removeAll() -> Int {
        let count = self.byteCount
        self = EgressQueue()
        return count
    }
}
