// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import WebTransport

/// The content of the streams: a stream tells whose it is, every byte depends on its place, and the end says how many bytes
/// there are, so that a reader knows by itself whether it got everything, in order and from the right stream.
///
///     key of the sender (8 bytes) │ pattern … │ ~next pattern byte │ how many bytes came before (8 bytes)
enum StreamPattern {
    static let headerSize = 8
    static let trailerSize = 9

    private static let period = 65_521
    /// The pattern, twice, so that a run of up to one period is in one piece.
    private static let table: [UInt8] = {
        var random = ChaosRandom(seed: 0x6d6f_7169_6e67)
        var table: [UInt8] = []
        table.reserveCapacity(period * 2)
        while table.count < period { table.append(UInt8(truncatingIfNeeded: random.next() >> 20)) }
        return table + table
    }()

    /// Which of the possible patterns a stream has.
    static func phase(key: UInt64, stream: UInt64) -> Int {
        Int(truncatingIfNeeded: ChaosRandom.mix(key, stream) % UInt64(self.period))
    }

    /// The byte at a place.
    static func byte(at position: UInt64, phase: Int) -> UInt8 {
        self.table[Int(truncatingIfNeeded: (position % UInt64(self.period)) + UInt64(phase)) % self.period]
    }

    /// The bytes from `position` on.
    static func bytes(_ count: Int, from position: UInt64, phase: Int) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(count)
        var start = Int(truncatingIfNeeded: (position % UInt64(self.period)) + UInt64(phase)) % self.period
        while result.count < count {
            let part = min(count - result.count, self.period)
            result += self.table[start..<start + part]
            start = (start + part) % self.period
        }
        return result
    }

    /// How many of the first bytes of `bytes` are the pattern from `position` on.
    static func matching(_ bytes: ArraySlice<UInt8>, from position: UInt64, phase: Int) -> Int {
        let expected = self.bytes(bytes.count, from: position, phase: phase)
        if bytes.elementsEqual(expected) { return bytes.count }
        return zip(bytes, expected).prefix { $0 == $1 }.count
    }

    /// A number as eight bytes.
    static func word(_ value: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
    }

    /// Eight bytes as a number.
    static func value(_ bytes: some Collection<UInt8>) -> UInt64 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// What ends a stream of which `count` bytes were written.
    static func trailer(after count: UInt64, phase: Int) -> [UInt8] {
        [~self.byte(at: count, phase: phase)] + self.word(count)
    }
}

/// Follows what arrives on one stream and says what is wrong with it.
struct PatternChecker {
    private let stream: UInt64
    private var header: [UInt8] = []
    private var trailer: [UInt8] = []
    private var phase = 0

    /// How many bytes came.
    private(set) var count: UInt64 = 0
    /// Whose stream it is, as soon as that is known.
    private(set) var key: UInt64?

    init(stream: UInt64) {
        self.stream = stream
    }

    /// Takes the next bytes; returns a complaint if they are not what they should be.
    mutating func take(_ bytes: [UInt8]) -> String? {
        var rest = bytes[...]
        if self.key == nil {
            let part = rest.prefix(StreamPattern.headerSize - self.header.count)
            self.header += part
            self.count += UInt64(part.count)
            rest = rest.dropFirst(part.count)
            guard self.header.count == StreamPattern.headerSize else { return nil }
            let key = StreamPattern.value(self.header)
            self.key = key
            self.phase = StreamPattern.phase(key: key, stream: self.stream)
        }
        if self.trailer.isEmpty {
            let good = StreamPattern.matching(rest, from: self.count, phase: self.phase)
            self.count += UInt64(good)
            rest = rest.dropFirst(good)
        }
        guard !rest.isEmpty else { return nil }
        // The pattern is over: what follows must be the end.
        if self.trailer.isEmpty, rest.first != ~StreamPattern.byte(at: self.count, phase: self.phase) {
            return "byte \(self.count) is not the one that was written there"
        }
        guard self.trailer.count + rest.count <= StreamPattern.trailerSize else {
            return "bytes come after the end that was written at byte \(self.count)"
        }
        self.trailer += rest
        return nil
    }

    /// Takes the end; returns a complaint if something is missing.
    mutating func finish() -> String? {
        guard self.count > 0 else { return nil }
        guard self.trailer.count == StreamPattern.trailerSize else {
            return "the stream ends after \(self.count) bytes, in the middle"
        }
        let written = StreamPattern.value(self.trailer.dropFirst())
        return written == self.count ? nil : "the stream ends after \(self.count) of \(written) bytes"
    }
}
