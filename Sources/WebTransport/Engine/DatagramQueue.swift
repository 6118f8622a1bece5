// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import DequeModule

/// Datagrams that wait for the transport, in the order in which they are to be sent, bounded in count, bytes and age.
struct DatagramQueue {
    private struct Entry {
        var header: DatagramHeader
        var payload: Bytes
        var time: UInt64
        var lifetime: UInt64
        var order: DatagramOrder
        /// How often it did not fit into the room that there was.
        var misfits = 0

        var byteCount: Int { self.header.count + self.payload.count }

        /// All of it in one piece, by reference where there is no header.
        var bytes: Bytes {
            guard self.header.count > 0 else { return self.payload }
            return Bytes(joining: self.header.span, self.payload.span)
        }
    }

    /// Sorted by rank.
    private var entries: Deque<Entry> = []
    /// Whether some have exchanged their turns, so that the first of a rank need not be the oldest.
    private var isMixed = false
    /// How many bytes wait.
    private(set) var byteCount = 0

    /// How many datagrams wait.
    var count: Int { self.entries.count }

    /// Whether none waits.
    var isEmpty: Bool { self.entries.isEmpty }

    /// The datagram that is next.
    var first: Bytes? { self.entries.first?.bytes }

    /// How many bytes that one has; nil when none waits.
    var firstByteCount: Int? { self.entries.first?.byteCount }

    /// Whether that one has waited for longer than its lifetime.
    func isFirstLate(at now: UInt64) -> Bool {
        guard let first = self.entries.first, now > first.time else { return false }
        return now - first.time > first.lifetime
    }

    /// How often that one did not fit.
    var misfitsOfFirst: Int { self.entries.first?.misfits ?? 0 }

    /// The first datagram did not fit into the room that there was.
    mutating func firstDidNotFit() {
        if !self.entries.isEmpty {
            self.entries[0].misfits += 1
        }
    }

    /// Queues a datagram, with a lifetime in microseconds; drops the oldest ones of the last rank as far as the bounds demand
    /// and returns how many.
    ///
    /// `header` comes before the bytes, and is copied.
    mutating func append(
        _ bytes: Bytes,
        behind header: DatagramHeader = DatagramHeader(),
        at time: UInt64,
        lifetime: UInt64,
        order: DatagramOrder = DatagramOrder(),
        maximumCount: Int,
        maximumBytes: Int
    ) -> Int {
        let entry = Entry(header: header, payload: bytes, time: time, lifetime: lifetime, order: order)
        self.byteCount += entry.byteCount
        if self.entries.isEmpty {
            self.entries.append(entry)
        } else {
            self.insert(entry)
        }
        var dropped = 0
        while self.entries.count > 1, self.entries.count > maximumCount || self.byteCount > maximumBytes {
            self.drop()
            dropped += 1
        }
        return dropped
    }

    /// Puts an entry among others.
    private mutating func insert(_ entry: Entry) {
        let order = entry.order
        let lastRank = self.entries[self.entries.count - 1].order.rank
        // The last turn of its rank, and from there forward past those of its flow that it overtakes.
        var turn = lastRank <= order.rank ? self.entries.count : self.index { $0.order.rank > order.rank }
        self.entries.insert(entry, at: turn)
        var index = turn - 1
        while index >= 0, self.entries[index].order.rank == order.rank {
            if self.entries[index].order.flow == order.flow {
                guard order.overtakes(self.entries[index].order) else { break }
                self.entries.swapAt(index, turn)
                turn = index
                self.isMixed = true
            }
            index -= 1
        }
    }

    /// The first index from which on all entries are like this; the others are before it.
    private func index(where isBehind: (Entry) -> Bool) -> Int {
        var low = 0
        var high = self.entries.count
        while low < high {
            let middle = (low + high) / 2
            if isBehind(self.entries[middle]) {
                high = middle
            } else {
                low = middle + 1
            }
        }
        return low
    }

    /// Forgets the oldest datagram of the last rank.
    private mutating func drop() {
        guard let first = self.entries.first, let last = self.entries.last else { return }
        let isOnlyRank = first.order.rank == last.order.rank
        var oldest = isOnlyRank ? 0 : self.index { $0.order.rank >= last.order.rank }
        if self.isMixed {
            for index in oldest..<self.entries.count where self.entries[index].time < self.entries[oldest].time {
                oldest = index
            }
        }
        self.byteCount -= self.entries.remove(at: oldest).byteCount
    }

    /// Forgets the first datagram.
    mutating func removeFirst() {
        _ = self.popFirst()
    }

    /// Moves the first datagram into memory of exactly its size.
    mutating func takeFirst(into buffer: UnsafeMutableRawBufferPointer) {
        guard let entry = self.popFirst() else { return }
        let headerCount = entry.header.count
        unsafe entry.header.span.withUnsafeBytes { source in
            unsafe buffer.copyMemory(from: source)
        }
        unsafe entry.payload.span.withUnsafeBytes { source in
            unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[headerCount...]).copyMemory(from: source)
        }
    }

    private mutating func popFirst() -> Entry? {
        guard let entry = self.entries.popFirst() else { return nil }
        self.byteCount -= entry.byteCount
        if self.entries.isEmpty { self.isMixed = false }
        return entry
    }

    /// Forgets all of them; returns how many.
    mutating func removeAll() -> Int {
        let count = self.entries.count
        self.entries = []
        self.isMixed = false
        self.byteCount = 0
        return count
    }
}
