// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Testing
import WebTransport

@testable import MoQCommand

@Suite("Cutting input into objects")
struct ObjectCutterTests {
    /// Feeds blocks and returns the objects.
    private func cut(_ blocks: [[UInt8]], rule: ObjectCutter.Rule) -> [[UInt8]] {
        var cutter = ObjectCutter(rule: rule)
        var objects: [[UInt8]] = []
        for block in blocks {
            cutter.append(Bytes(block))
            while let piece = cutter.next() {
                #expect(piece.count == piece.parts.reduce(0) { $0 + $1.count })
                objects.append(piece.joined.array)
            }
            #expect(cutter.needsInput)
        }
        if let piece = cutter.finish() {
            objects.append(piece.joined.array)
        }
        return objects
    }

    @Test("Objects have the size asked for, however the input is divided", arguments: [1, 2, 3, 7, 10, 64])
    func sizes(blockSize: Int) {
        let input = (0..<50).map { UInt8($0) }
        let blocks = stride(from: 0, to: input.count, by: blockSize).map {
            Array(input[$0..<min($0 + blockSize, input.count)])
        }
        let objects = self.cut(blocks, rule: .size(7))
        #expect(objects.map(\.count) == [7, 7, 7, 7, 7, 7, 7, 1])
        #expect(objects.flatMap { $0 } == input)
    }

    @Test("Input that ends with a full object gives no empty one behind it")
    func exactEnd() {
        #expect(self.cut([[1, 2, 3, 4]], rule: .size(2)) == [[1, 2], [3, 4]])
    }

    @Test("No input, no object")
    func empty() {
        #expect(self.cut([], rule: .size(2)).isEmpty)
        #expect(self.cut([], rule: .lines(maximum: 8)).isEmpty)
    }

    @Test("A line keeps its line feed, and the last one needs none")
    func lines() {
        let objects = self.cut([Array("one\ntw".utf8), Array("o\n\nfour".utf8)], rule: .lines(maximum: 100))
        #expect(objects.map { String(decoding: $0, as: UTF8.self) } == ["one\n", "two\n", "\n", "four"])
    }

    @Test("A line longer than the bound is split at it")
    func longLine() {
        let objects = self.cut([Array("abcdefgh\nij\n".utf8)], rule: .lines(maximum: 3))
        #expect(objects.map { String(decoding: $0, as: UTF8.self) } == ["abc", "def", "gh\n", "ij\n"])
    }

    @Test("An object inside one block shares the block's storage")
    func noCopy() {
        var cutter = ObjectCutter(rule: .size(4))
        let block = Bytes([1, 2, 3, 4, 5, 6, 7, 8])
        cutter.append(block)
        let piece = cutter.next()
        #expect(piece?.parts == [block.slice(0..<4)])
        #expect(cutter.heldByteCount == 4)
    }
}
