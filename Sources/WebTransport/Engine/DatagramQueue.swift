// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import DequeModule

/// Datagrams that wait for the transport, oldest first, bounded in count, bytes and age.
struct DatagramQueue {
    private struct Entry {
        var bytes: Bytes
        var time: UInt64
        var lifetime: UInt64
    }

    private var entries: Deque<Entry> = []
    /// How many bytes wait.
    private(set) var byteCount = 0

    /// How many datagrams wait.
    var count: Int { self.entries.count }

    /// Whether none waits.
    var isEmpty: Bool { self.entries.isEmpty }

    /// The oldest datagram.
    var first: Bytes? { self.entries.first?.bytes }

    /// Whether the oldest datagram has waited for longer than its lifetime.
    func isFirstLate(at now: UInt64) -> Bool {
        guard let first = self.entries.first, now > first.time else { return false }
        return now - first.time > first.lifetime
    }

    /// Queues a datagram, with a lifetime in microseconds; drops the oldest ones as far as the bounds demand and returns
    /// how many.
    mutating func append(
        _ bytes: Bytes,
        at time: UInt64,
        lifetime: UInt64,
        maximumCount: Int,
        maximumBytes: Int
    ) -> Int {
        self.entries.append(Entry(bytes: bytes, time: time, lifetime: lifetime))
        self.byteCount += bytes.count
        var dropped = 0
        while self.entries.count > 1, self.entries.count > maximumCount || self.byteCount > maximumBytes {
            self.removeFirst()
            dropped += 1
        }
        return dropped
    }

    /// Forgets the oldest datagram.
    mutating func removeFirst() {
        guard let entry = self.entries.popFirst() else { return }
        self.byteCount -= entry.bytes.count
    }

    /// Forgets all of them; returns how many.
    mutating func removeAll() -> Int {
        let count = self.entries.count
        self.entries = []
        self.byteCount = 0
        return count
    }
}
