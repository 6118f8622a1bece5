// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import Testing

@Suite("Integers")
struct IntegerTests {
    static let codings: [IntegerCoding] = [.quic, .vi64]

    private func read(_ bytes: [UInt8], _ coding: IntegerCoding) -> UInt64? {
        var reader = unsafe WireReader(bytes.span.bytes, integers: coding)
        guard let value = reader.nextInteger(), reader.isAtEnd else {
            return nil
        }
        return value
    }

    private func write(_ value: UInt64, _ coding: IntegerCoding) throws -> [UInt8] {
        var writer = WireWriter(integers: coding)
        try writer.write(integer: value)
        return writer.bytes
    }

    @Test(
        "vi64 reads the examples of draft 18",
        arguments: [
            ("25", 37), ("8025", 37), ("bbbd", 15_293), ("ed7f3e7d", 226_442_877), ("faa1a0e403d8", 2_893_212_287_960),
            ("fc8998abc66bc0", 151_288_809_941_952), ("fefa318fa8e3ca11", 70_423_237_261_249_041),
            ("ffffffffffffffffff", UInt64.max), ("af00", 0x2F00), ("ff0000000000000001", 1), ("fe00000000000001", 1),
        ]
    )
    func vi64Examples(text: String, value: UInt64) {
        #expect(self.read(hex(text), .vi64) == value)
    }

    @Test(
        "QUIC's integers read the examples of RFC 9000",
        arguments: [
            ("c2197c5eff14e88c", 151_288_809_941_952_652), ("9d7f3e7d", 494_878_333), ("7bbd", 15_293), ("25", 37),
            ("4025", 37), ("4050", 0x50),
        ]
    )
    func quicExamples(text: String, value: UInt64) {
        #expect(self.read(hex(text), .quic) == value)
    }

    @Test("every length of both codings is written at its bounds and read back", arguments: codings)
    func bounds(coding: IntegerCoding) throws {
        let bits = coding == .quic ? [6, 14, 30, 62] : [7, 14, 21, 28, 35, 42, 49, 56, 64]
        let lengths = coding == .quic ? [1, 2, 4, 8] : Array(1...9)
        for (bits, length) in zip(bits, lengths) {
            let largest = bits == 64 ? UInt64.max : 1 << UInt64(bits) - 1
            let bytes = try self.write(largest, coding)
            #expect(bytes.count == length)
            #expect(self.read(bytes, coding) == largest)
            guard bits < 62 else {
                continue
            }
            #expect(try self.write(largest + 1, coding).count > length)
            #expect(self.read(try self.write(largest + 1, coding), coding) == largest + 1)
        }
        #expect(self.read(try self.write(0, coding), coding) == 0)
    }

    @Test("random values of every size survive", arguments: codings)
    func random(coding: IntegerCoding) throws {
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<20_000 {
            let value = generator.next() >> UInt64.random(in: (coding == .quic ? 2 : 0)...63, using: &generator)
            let bytes = try self.write(value, coding)
            #expect(try WireWriter.length(of: value, integers: coding) == bytes.count)
            #expect(self.read(bytes, coding) == value)
            for count in 0..<bytes.count {
                #expect(self.read(Array(bytes[..<count]), coding) == nil)
            }
        }
    }

    @Test("QUIC's integers refuse more than 62 bits")
    func tooLarge() {
        #expect(throws: MoQWireError.self) {
            try self.write(1 << 62, .quic)
        }
    }

    @Test("a reader that runs out of bytes stays where it was")
    func shortage() {
        let bytes: [UInt8] = [0xFF, 1, 2]
        var reader = unsafe WireReader(bytes.span.bytes, integers: .vi64)
        let refused = (reader.nextInteger() == nil, reader.nextBytes(4) == nil, reader.nextBytes(-1) == nil)
        #expect(refused == (true, true, true))
        let skipped = reader.skip(4)
        let offset = reader.offset
        #expect(!skipped && offset == 0)
        let pair = reader.nextUInt16()
        let second = reader.nextUInt16()
        let last = reader.nextByte()
        let beyond = reader.nextByte()
        #expect(pair == 0xFF01 && second == nil && last == 2 && beyond == nil)
    }
}
