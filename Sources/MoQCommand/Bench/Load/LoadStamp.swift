// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What the payload of every object of a load begins with: which object it is, and when it was due.
struct LoadStamp: Hashable, Sendable {
    /// Three numbers of eight bytes, the largest byte first: the due time, the number, and both mixed as a check.
    static let length = 24

    /// When the object had to be sent, on ``BenchClock``. Not when it was: what leaves late because the sender cannot keep
    /// up is late for its receiver.
    var due: UInt64
    /// Which object it is, counted from 0.
    var sequence: UInt64

    /// The third number.
    private var check: UInt64 {
        (self.due ^ (self.sequence << 32 | self.sequence >> 32)) &* 0x9E37_79B9_7F4A_7C15
    }

    /// Adds the stamp to a payload, which must have room for it.
    func write(to output: inout OutputRawSpan) {
        unsafe output.append(self.due.bigEndian, as: UInt64.self)
        unsafe output.append(self.sequence.bigEndian, as: UInt64.self)
        unsafe output.append(self.check.bigEndian, as: UInt64.self)
    }

    /// Takes a stamp out of payloads, whose parts may be cut anywhere. One after the other, without allocating.
    struct Reader {
        private var due: UInt64 = 0
        private var sequence: UInt64 = 0
        private var check: UInt64 = 0
        private var count = 0

        /// A new payload begins.
        mutating func begin() {
            self.count = 0
        }

        /// The next part of the payload.
        mutating func take(_ bytes: RawSpan) {
            guard self.count < LoadStamp.length else { return }
            if self.count == 0, bytes.byteCount >= LoadStamp.length {
                self.due = Self.number(in: bytes, at: 0)
                self.sequence = Self.number(in: bytes, at: 8)
                self.check = Self.number(in: bytes, at: 16)
                self.count = LoadStamp.length
                return
            }
            for position in 0..<min(bytes.byteCount, LoadStamp.length - self.count) {
                let byte = UInt64(unsafe bytes.unsafeLoad(fromByteOffset: position, as: UInt8.self))
                switch self.count {
                case 0..<8: self.due = self.due << 8 | byte
                case 8..<16: self.sequence = self.sequence << 8 | byte
                default: self.check = self.check << 8 | byte
                }
                self.count += 1
            }
        }

        /// The stamp of the payload; nil when it is too short for one, or not as it was written.
        var stamp: LoadStamp? {
            let stamp = LoadStamp(due: self.due, sequence: self.sequence)
            return self.count == LoadStamp.length && stamp.check == self.check ? stamp : nil
        }

        private static func number(in bytes: RawSpan, at offset: Int) -> UInt64 {
            UInt64(bigEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
        }
    }
}
