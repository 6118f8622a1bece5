// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Testing

@testable import WebTransport

@Suite("Payloads that arrive in pieces", .timeLimit(.minutes(1)))
struct BytesBlockTests {
    /// Copies a whole into a block, in pieces of so many bytes.
    private func pieces(of whole: [UInt8], size: Int, in block: inout BytesBlock) -> [Bytes] {
        stride(from: 0, to: whole.count, by: size).map { start in
            let end = min(start + size, whole.count)
            return block.copy(Bytes(whole).span.extracting(start..<end), followedBy: UInt64(whole.count - end))
        }
    }

    private func pattern(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
    }

    @Test("The pieces of a payload share one allocation, and one that follows has its own")
    func sharing() {
        var block = BytesBlock()
        let whole = self.pattern(16_384)
        let pieces = self.pieces(of: whole, size: 1_380, in: &block)
        #expect(pieces.count == 12)
        #expect(pieces.flatMap(\.array) == whole)
        #expect(pieces.allSatisfy { $0.storage === pieces[0].storage })
        #expect(pieces[0].storage?.byteCapacity == whole.count)
        let next = self.pieces(of: whole, size: 1_380, in: &block)
        #expect(next[0].storage !== pieces[0].storage)
        #expect(pieces.flatMap(\.array) == whole)
    }

    @Test("Whatever the sizes, the pieces are what was copied", arguments: [1, 7, 96, 1_000, 33_000, 70_000])
    func sizes(size: Int) {
        var block = BytesBlock()
        let whole = self.pattern(200_000)
        let pieces = self.pieces(of: whole, size: size, in: &block)
        #expect(pieces.flatMap(\.array) == whole)
    }

    @Test("For a payload that does not come no more is set aside than sixteen times what came, and never over 64 KiB")
    func bounds() {
        for (count, capacity) in [(1, 16), (100, 1_600), (4_096, 65_536), (20_000, 65_536), (50_000, 50_000)] {
            var block = BytesBlock()
            let piece = block.copy(Bytes(self.pattern(count)).span, followedBy: .max)
            #expect(piece.storage?.byteCapacity == capacity)
        }
        var block = BytesBlock()
        #expect(block.copy(Bytes([1, 2]).span, followedBy: 3).storage?.byteCapacity == 5)
        #expect(block.copy(RawSpan(), followedBy: 3).isEmpty)
        #expect(block.copy(Bytes([3, 4, 5]).span, followedBy: 0) == [3, 4, 5])
    }

    @Test("A stream that is over holds on to no memory, whoever holds the stream")
    func release() throws {
        let session = FakeSession()
        defer { session.close(code: 0, reason: "") }
        let recorder = Recorder()
        session.handler = recorder
        let token = try #require(session.manager.acceptStream(StreamID(rawValue: 3)))
        session.deliver([1], on: token)
        let stream = try #require(session.manager.receiveStream(for: token))
        weak var storage: BytesStorage?
        do {
            let kept = stream.keep(Bytes(self.pattern(1_000)).span, followedBy: 1_000)
            storage = kept.storage
            #expect(storage?.byteCapacity == 2_000)
        }
        #expect(storage != nil, "more of it is expected")
        session.manager.streamWasReset(token, code: 0)
        #expect(storage == nil)
        #expect(stream.isClosed)
    }

    @Test("Pieces that lie behind one another become one, and others do not")
    func extending() {
        let whole = Bytes(self.pattern(1_000))
        let start = whole.prefix(300)
        #expect(self.extended(start, by: whole.slice(300..<301)) == whole.prefix(301))
        #expect(self.extended(start, by: whole.dropFirst(300)) == whole)
        for other in [whole.dropFirst(301), whole.slice(299..<500), Bytes(self.pattern(10)), Bytes()] {
            #expect(self.extended(start, by: other) == nil)
        }
        #expect(self.extended(Bytes(), by: whole) == nil)
    }

    /// A value that covers another one as well, if it can.
    private func extended(_ bytes: Bytes, by next: Bytes) -> Bytes? {
        var bytes = bytes
        return bytes.extend(by: next) ? bytes : nil
    }

    @Test("A queue holds the pieces of one payload as one, also when a part of it has left")
    func queue() {
        var queue = EgressQueue()
        var block = BytesBlock()
        let whole = self.pattern(10_000)
        var taken = [UInt8](repeating: 0, count: 10_000)
        var count = 0
        for piece in self.pieces(of: whole, size: 1_000, in: &block) {
            queue.append(piece)
            #expect(queue.chunkCount == 1)
            unsafe taken.withUnsafeMutableBytes { buffer in
                count += unsafe queue.take(into: UnsafeMutableRawBufferPointer(rebasing: buffer[count..<count + 700]))
            }
        }
        #expect(queue.byteCount == 3_000)
        unsafe taken.withUnsafeMutableBytes { buffer in
            count += unsafe queue.take(into: UnsafeMutableRawBufferPointer(rebasing: buffer[count...]))
        }
        #expect(taken == whole)
        #expect(queue.chunkCount == 0)
    }
}
