// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Testing

@testable import WebTransport

@Suite("Queues", .timeLimit(.minutes(1)))
struct QueueTests {
    private func take(_ count: Int, from queue: inout EgressQueue) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let taken = unsafe bytes.withUnsafeMutableBytes { buffer in unsafe queue.take(into: buffer) }
        return Array(bytes.prefix(taken))
    }

    @Test("bytes leave in the order they came, whatever their sizes", arguments: [1, 3, 64, 1_000, 100_000])
    func order(step: Int) {
        var queue = EgressQueue()
        var expected: [UInt8] = []
        var byte: UInt8 = 0
        for size in [1, 40, 95, 96, 97, 200, 1_023, 1_024, 1_025, 5_000, 2, 30_000, 96, 1] {
            let part = (0..<size).map { _ in
                byte &+= 7
                return byte
            }
            expected += part
            if size % 2 == 0 { queue.append(Bytes(part)) } else { queue.append(copying: Bytes(part).span) }
        }
        #expect(queue.byteCount == expected.count)
        var taken: [UInt8] = []
        while queue.byteCount > 0 { taken += self.take(step, from: &queue) }
        #expect(taken == expected)
        #expect(queue.chunkCount == 0)
    }

    @Test("small writes share a chunk, large ones are not copied")
    func packing() {
        var queue = EgressQueue()
        for _ in 0..<10 { queue.append(Bytes([1, 2, 3])) }
        #expect(queue.chunkCount == 1)
        let payload = Bytes([UInt8](repeating: 9, count: 5_000))
        queue.append(payload)
        queue.append(Bytes([4]))
        #expect(queue.chunkCount == 3)
        #expect(queue.byteCount == 5_031)
    }

    @Test("what was queued does not change when the packing buffer is used again")
    func reuse() {
        var queue = EgressQueue()
        for round in 0..<200 {
            let first = [UInt8](repeating: UInt8(truncatingIfNeeded: round), count: 50)
            let second = [UInt8](repeating: UInt8(truncatingIfNeeded: round &+ 1), count: 70)
            queue.append(copying: Bytes(first).span)
            queue.append(copying: Bytes(second).span)
            #expect(self.take(80, from: &queue) == Array((first + second).prefix(80)))
            if round % 3 == 0 {
                #expect(self.take(80, from: &queue) == Array((first + second).dropFirst(80)))
            } else {
                #expect(queue.removeAll() == 40)
            }
        }
    }

    @Test("what was taken by reference is not copied, and does not change when more is queued")
    func byReference() {
        var queue = EgressQueue()
        let payload = Bytes([UInt8](repeating: 9, count: 5_000))
        queue.append(copying: Bytes([1, 2, 3]).span)
        queue.append(payload)
        var taken: [Bytes] = []
        #expect(queue.take(atMost: 2, to: &taken) == 2)
        #expect(queue.take(atMost: 2_001, to: &taken) == 2_001)
        #expect(queue.byteCount == 3_000)
        #expect(queue.take(atMost: .max, to: &taken) == 3_000)
        #expect(queue.byteCount == 0)
        #expect(taken.map(\.count) == [2, 1, 2_000, 3_000])
        #expect(taken[2].storage === payload.storage)
        #expect(taken[3].storage === payload.storage)
        // Nothing is queued, but the packing buffer is not the queue's alone any more.
        queue.append(copying: Bytes([7, 7, 7]).span)
        #expect(taken[0] == [1, 2])
        #expect(taken[1] == [3])
        #expect(self.take(3, from: &queue) == [7, 7, 7])
    }

    @Test("an ingress buffer gives back what was not consumed, in front")
    func ingress() {
        var buffer = IngressBuffer()
        buffer.append(Bytes([1, 2, 3]).span)
        buffer.removeFirst(2)
        buffer.append(Bytes([4, 5]).span)
        #expect(buffer.first == [3, 4, 5])
        buffer.removeFirst(7)
        #expect(buffer.isEmpty)
        buffer.append(Bytes([6]).span)
        #expect(buffer.removeAll() == 1)
        #expect(buffer.first.isEmpty)
    }

    @Test("an ingress buffer keeps much in blocks of bounded size, and joins them for who needs more in one piece")
    func ingressBlocks() {
        let whole = Bytes((0..<300_000).map { UInt8(truncatingIfNeeded: $0 % 251) })
        var buffer = IngressBuffer()
        for start in stride(from: 0, to: whole.count, by: 1_200) {
            buffer.append(whole.slice(start..<min(start + 1_200, whole.count)).span)
        }
        #expect(buffer.count == whole.count)
        #expect(buffer.joined == whole)
        #expect((32 << 10...120 << 10).contains(buffer.first.count))
        let held = buffer.first.dropFirst(buffer.first.count - 100)
        let start = buffer.first.count - 3
        buffer.removeFirst(start)
        #expect(buffer.first.count == 3)
        var lengths: [Int] = []
        while buffer.bridge() { lengths.append(buffer.first.count) }
        #expect(lengths.prefix(3) == [259, 518, 1_036])
        #expect(lengths.last == whole.count - start)
        #expect(buffer.first == whole.dropFirst(start))
        #expect(held == whole.slice(start - 97..<start + 3))
        buffer.prepend(whole.prefix(start).span)
        #expect(buffer.joined == whole)
        var taken: [UInt8] = []
        while !buffer.isEmpty { buffer.take(atMost: 70_000).append(to: &taken) }
        #expect(Bytes(taken) == whole)
    }

    @Test("what is joined in an ingress buffer is not copied again for each packet that follows")
    func ingressBridges() {
        var buffer = IngressBuffer()
        for _ in 0..<200 { buffer.append(Bytes([UInt8](repeating: 1, count: 1_200)).span) }
        while buffer.bridge() {}
        var moves = 0
        for _ in 0..<400 {
            let before = buffer.first.storage
            buffer.append(Bytes([UInt8](repeating: 2, count: 1_200)).span)
            while buffer.bridge() {}
            if buffer.first.storage !== before { moves += 1 }
        }
        #expect(buffer.first.count == 600 * 1_200)
        #expect((1...3).contains(moves))
    }

    @Test("an ingress buffer of little takes little", arguments: [1, 300, 5_000])
    func ingressGrowth(size: Int) {
        var buffer = IngressBuffer()
        var expected = Bytes()
        for _ in 0..<7 {
            let piece = Bytes([UInt8](repeating: UInt8(truncatingIfNeeded: expected.count), count: size))
            buffer.append(piece.span)
            expected = Bytes(expected.array + piece.array)
            #expect(buffer.first == expected)
            #expect((buffer.first.storage?.byteCapacity ?? 0) <= max(256, 2 * expected.count))
        }
    }

    @Test("a datagram queue drops the oldest beyond its bounds, never the newest")
    func datagrams() {
        var queue = DatagramQueue()
        for number in UInt8(0)..<5 {
            let dropped = queue.append([number], at: 0, lifetime: 9, maximumCount: 3, maximumBytes: 100)
            #expect(dropped == (number < 3 ? 0 : 1))
        }
        #expect(queue.count == 3)
        #expect(queue.first == [2])
        let large = Bytes([UInt8](repeating: 1, count: 99))
        let dropped = queue.append(large, at: 1, lifetime: 9, maximumCount: 3, maximumBytes: 100)
        #expect(dropped == 2)
        #expect(queue.count == 2)
        let larger = Bytes([UInt8](repeating: 1, count: 101))
        #expect(queue.append(larger, at: 1, lifetime: 9, maximumCount: 3, maximumBytes: 100) == 2)
        #expect(queue.count == 1)
        #expect(queue.removeAll() == 1)
        #expect(queue.byteCount == 0)
    }

    @Test("datagrams of a lower rank go first, and those of one flow share their turns by position")
    func order() {
        var queue = DatagramQueue()
        func add(_ byte: UInt8, _ rank: UInt16, _ flow: UInt64 = 0, _ major: UInt64 = 0, _ minor: UInt64 = 0) {
            let order = DatagramOrder(rank: rank, flow: flow, major: major, minor: minor)
            let bytes: Bytes = [byte]
            _ = queue.append(bytes, at: 0, lifetime: 9, order: order, maximumCount: 99, maximumBytes: 999)
        }
        add(1, 7, 1, 5, 0)
        add(2, 7, 2, 9, 0)
        add(3, 9)
        add(4, 7, 1, 4, 1)
        add(5, 6)
        // Flow 1 has the first and the third turn of its rank, and gets the fourth.
        add(6, 7, 1, 4, 0)
        add(7, 6)
        add(8, 9)
        add(9, 7, 2, 10, 0)
        var bytes: [UInt8] = []
        while let first = queue.first {
            bytes += first.array
            queue.removeFirst()
        }
        #expect(bytes == [5, 7, 6, 2, 4, 1, 9, 3, 8])
        #expect(queue.isEmpty && queue.byteCount == 0)
    }

    @Test("a queue of datagrams that is full drops the oldest of what would go last")
    func dropByRank() {
        var queue = DatagramQueue()
        var dropped = 0
        func add(_ byte: UInt8, _ rank: UInt16, _ major: UInt64, at time: UInt64) {
            let order = DatagramOrder(rank: rank, flow: 1, major: major)
            let bytes: Bytes = [byte]
            dropped += queue.append(bytes, at: time, lifetime: 9, order: order, maximumCount: 4, maximumBytes: 99)
        }
        // Descending groups: the oldest one of a rank is its last.
        add(1, 2, 9, at: 1)
        add(2, 2, 8, at: 2)
        add(3, 1, 9, at: 3)
        add(4, 2, 7, at: 4)
        add(5, 1, 8, at: 5)
        #expect(dropped == 1 && queue.count == 4)
        add(6, 1, 7, at: 6)
        add(7, 1, 6, at: 7)
        // What goes behind everything that is there has no room.
        add(8, 2, 1, at: 8)
        #expect(dropped == 4)
        var bytes: [UInt8] = []
        while let first = queue.first {
            bytes += first.array
            queue.removeFirst()
        }
        #expect(bytes == [7, 6, 5, 3])
    }

    @Test("a datagram is late when it has waited for longer than its lifetime")
    func lateDatagrams() {
        var queue = DatagramQueue()
        #expect(!queue.isFirstLate(at: 100))
        _ = queue.append([1], at: 10, lifetime: 5, maximumCount: 3, maximumBytes: 100)
        _ = queue.append([2], at: 10, lifetime: .max, maximumCount: 3, maximumBytes: 100)
        #expect(!queue.isFirstLate(at: 5))
        #expect(!queue.isFirstLate(at: 15))
        #expect(queue.isFirstLate(at: 16))
        queue.removeFirst()
        #expect(!queue.isFirstLate(at: .max))
    }

    @Test("tokens are never zero and survive a round trip", arguments: [0, 1, 65_535, 1 << 30])
    func tokens(index: Int) throws {
        for generation in [UInt32(1), 77, .max] {
            let token = StreamToken(index: index, generation: generation)
            let back = try #require(StreamToken(rawValue: token.rawValue))
            #expect(back.index == index)
            #expect(back.generation == generation)
        }
        #expect(StreamToken(rawValue: 0) == nil)
        #expect(StreamToken(rawValue: 5 << 32) == nil)
    }

    @Test("stream numbers say who opened the stream and which way it goes")
    func streamIDs() {
        #expect(StreamID(rawValue: 0).isClientInitiated && !StreamID(rawValue: 0).isUnidirectional)
        #expect(!StreamID(rawValue: 1).isClientInitiated)
        #expect(StreamID(rawValue: 2).isUnidirectional && StreamID(rawValue: 2).isInitiated(by: .client))
        #expect(StreamID(rawValue: 7).isUnidirectional && StreamID(rawValue: 7).isInitiated(by: .server))
        #expect(StreamPriority.control < .request && StreamPriority.request < .datagram)
        #expect(StreamPriority.default.isInOrder)
    }
}
