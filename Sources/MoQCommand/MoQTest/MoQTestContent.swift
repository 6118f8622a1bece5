// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQWire
internal import WebTransport

/// What is in the objects of a moq-test track: the letter t, and random properties.
enum MoQTestContent {
    /// Many payload bytes, of which every payload is made.
    static let block = Bytes([UInt8](repeating: UInt8(ascii: "t"), count: 64 << 10))
    /// The longest value of the property with random bytes.
    static let maximumVariableLength = 32
    /// More than a datagram can have besides the payload: the header, and two properties with integers of up to 9 bytes.
    static let maximumDatagramOverhead =
        DatagramCodec.maximumHeaderLength + 4 * 9 + maximumVariableLength

    /// Calls `body` with the parts of a payload.
    static func forEachPart(of size: Int, _ body: (Bytes) -> Void) {
        var missing = size
        while missing > 0 {
            let part = self.block.prefix(missing)
            body(part)
            missing -= part.count
        }
    }

    /// The properties of an object that a tuple asks for, with new random values.
    static func properties(for tuple: MoQTestTuple, coding: KeyValueCoding) -> PropertyList {
        var pairs: [KeyValuePair] = []
        if let number = tuple.integerExtension {
            // Within what every draft can write, so that a relay can pass it on in another draft.
            let value = UInt64.random(in: 0...MoQTestTuple.maximumNumber)
            pairs += [KeyValuePair(type: 2 * number, integer: value)].compactMap(\.self)
        }
        if let number = tuple.variableExtension {
            let length = Int.random(in: 0...self.maximumVariableLength)
            let value = (0..<length).map { _ in UInt8.random(in: .min ... .max) }
            pairs += [KeyValuePair(type: 2 * number + 1, bytes: value)].compactMap(\.self)
        }
        // Types and values are within the range of each coding.
        return (try? PropertyList(pairs, coding: coding)) ?? PropertyList()
    }
}
