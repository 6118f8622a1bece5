// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire

/// Key-value pairs in every coding, and integers.
///
/// An input is the coding and the bytes.
enum PropertyCheck {
    private static let codings: [KeyValueCoding] = [.draft14, .draft16, .draft18]

    static func run(_ bytes: [UInt8]) throws(FuzzFinding) {
        var input = FuzzInput(bytes)
        let coding = Self.codings[input.choice(Self.codings.count)]
        let content = input.rest()
        try Self.checkIntegers(content, coding.integers)
        let list = PropertyList(bytes: content, coding: coding)
        // None of these may trap, whatever the bytes are.
        _ = list.immutableIsMalformed
        _ = list.immutable?.immutableIsMalformed
        _ = list.defaultPublisherPriority
        guard let pairs = try Self.pairs(of: list) else {
            return
        }
        try Self.checkLookUp(list, pairs)
        for other in Self.codings {
            try Self.checkTranscoding(list, pairs, to: other)
        }
    }

    private static func pairs(of list: PropertyList) throws(FuzzFinding) -> [KeyValuePair]? {
        do {
            return try list.pairs()
        } catch {
            try ControlCheck.check(error)
            return nil
        }
    }

    /// Every pair is found by its type, the first one of a type first.
    private static func checkLookUp(_ list: PropertyList, _ pairs: [KeyValuePair]) throws(FuzzFinding) {
        var seen: Set<UInt64> = []
        for pair in pairs where seen.insert(pair.type).inserted {
            switch pair.value {
            case .integer(let value):
                try require(list.integer(pair.type) == value, "\(pair) is not found")
                try require(list.bytes(pair.type) == nil, "\(pair) is found as bytes")
            case .bytes(let value):
                try require(list.bytes(pair.type) == value, "\(pair) is not found")
                try require(list.integer(pair.type) == nil, "\(pair) is found as an integer")
            }
        }
    }

    /// The same pairs in another coding are the same pairs, in the order that the coding demands.
    private static func checkTranscoding(
        _ list: PropertyList,
        _ pairs: [KeyValuePair],
        to coding: KeyValueCoding
    ) throws(FuzzFinding) {
        let limit: UInt64 = 1 << 62
        let fits = pairs.allSatisfy { pair in
            if case .integer(let value) = pair.value, value >= limit { return false }
            return pair.type < limit
        }
        let other: PropertyList
        do {
            other = try list.transcoded(to: coding)
        } catch {
            try require(coding.integers == .quic && !fits, "\(pairs) does not go into \(coding): \(error)")
            return
        }
        let expected =
            coding.keys == .delta && list.coding.keys == .absolute && !pairs.isEmpty
            ? pairs.enumerated().sorted { ($0.element.type, $0.offset) < ($1.element.type, $1.offset) }.map(\.element)
            : pairs
        try require(try Self.pairs(of: other) == expected, "\(pairs) is something else in \(coding)")
        try require(
            other.coding == coding || other.isEmpty,
            "a list in \(coding) says that it is in \(other.coding)"
        )
    }

    /// Integers: what is read can be written, not longer than before, and reads as the same.
    private static func checkIntegers(_ bytes: [UInt8], _ integers: IntegerCoding) throws(FuzzFinding) {
        var reader = unsafe WireReader(bytes.span.bytes, integers: integers)
        var before = 0
        while let value = reader.nextInteger() {
            let taken = reader.offset - before
            before = reader.offset
            var writer = WireWriter(integers: integers)
            do {
                try writer.write(integer: value)
            } catch {
                throw FuzzFinding("\(value) was read and cannot be written: \(error)")
            }
            try require(
                !writer.bytes.isEmpty && writer.bytes.count <= taken,
                "\(value) took \(taken) bytes and takes \(writer.bytes.count) now"
            )
            let again = writer.bytes
            var second = unsafe WireReader(again.span.bytes, integers: integers)
            try require(second.nextInteger() == value && second.isAtEnd, "\(value) does not read as what it is")
        }
        try require(reader.offset == before, "an integer that is not all there took bytes")
        try require(reader.remaining < WireWriter.maximumIntegerLength, "\(reader.remaining) bytes are no integer")
    }
}
