// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Testing
import WebTransport

@testable import MoQCommand

@Suite("Stamps in payloads")
struct LoadStampTests {
    private static let stamp = LoadStamp(due: 0x0102_0304_0506_0708, sequence: 0xFFEE_DDCC_BBAA_9988)

    private static func written(_ stamp: LoadStamp) -> Bytes {
        Bytes(capacity: LoadStamp.length) { stamp.write(to: &$0) }
    }

    private static func read(_ parts: [Bytes]) -> LoadStamp? {
        var reader = LoadStamp.Reader()
        reader.begin()
        for part in parts {
            reader.take(part.span)
        }
        return reader.stamp
    }

    @Test("A stamp is read as it was written, wherever the payload is cut")
    func cuts() {
        let payload = Bytes(Self.written(Self.stamp).array + [UInt8](repeating: 7, count: 40))
        #expect(Self.read([payload]) == Self.stamp)
        for cut in 0...payload.count {
            #expect(Self.read([payload.prefix(cut), payload.dropFirst(cut)]) == Self.stamp, "cut at \(cut)")
        }
        #expect(Self.read(payload.array.map { Bytes([$0]) }) == Self.stamp)
    }

    @Test("Numbers stand in network order")
    func layout() {
        #expect(Self.written(Self.stamp).array.prefix(9) == [1, 2, 3, 4, 5, 6, 7, 8, 0xFF])
        #expect(Self.written(Self.stamp).count == LoadStamp.length)
    }

    @Test("What is too short, or changed in any bit, is no stamp")
    func damage() {
        let bytes = Self.written(Self.stamp).array
        #expect(Self.read([]) == nil)
        #expect(Self.read([Bytes(Array(bytes.dropLast()))]) == nil)
        for bit in 0..<(LoadStamp.length * 8) {
            var damaged = bytes
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(Self.read([Bytes(damaged)]) == nil, "bit \(bit)")
        }
    }

    @Test("A reader begins anew with each payload")
    func reuse() {
        var reader = LoadStamp.Reader()
        reader.begin()
        reader.take(Self.written(Self.stamp).span)
        reader.begin()
        reader.take(Bytes([1, 2, 3]).span)
        #expect(reader.stamp == nil)
        let other = LoadStamp(due: 1, sequence: 2)
        reader.begin()
        reader.take(Self.written(other).span)
        #expect(reader.stamp == other)
    }

    @Test(
        "Payloads have their length and their own stamps, in one piece or with a shared rest",
        arguments: [true, false]
    )
    func payloads(inOnePiece: Bool) {
        for length in [LoadStamp.length, LoadStamp.length + 1, 1_100, 300_000] {
            let payloads = LoadPayloads(length: length, inOnePiece: inOnePiece)
            #expect((1...256).contains(payloads.batch))
            #expect(payloads.batch == 1 || payloads.batch * length <= 256 << 10)
            let stamps = payloads.stamps(from: 9, count: 3) { $0 * 100 }
            for position in 0..<3 {
                let head = payloads.head(position, of: stamps)
                #expect(head.count + payloads.rest.count == length)
                #expect(payloads.rest.isEmpty || !inOnePiece)
                let number = UInt64(9 + position)
                #expect(Self.read([head, payloads.rest]) == LoadStamp(due: number * 100, sequence: number))
            }
        }
    }
}
