// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Tells what came for the first time from what came again, within the newest numbers.
struct SequenceWindow {
    /// What a number is.
    enum Verdict: Hashable {
        /// It came for the first time.
        case new
        /// It came before.
        case duplicate
        /// It is so far behind that nobody knows.
        case tooOld
    }

    private static let capacity: UInt64 = 1 << 15

    private var words = [UInt64](repeating: 0, count: Int(Self.capacity / 64))
    /// The number after the largest that came.
    private var next: UInt64 = 0

    /// Notes a number, which must be below `UInt64.max`.
    mutating func insert(_ number: UInt64) -> Verdict {
        if number >= self.next {
            self.advance(past: number)
            self.words[Self.word(number)] |= Self.bit(number)
            return .new
        }
        guard self.next - number <= Self.capacity else {
            return .tooOld
        }
        guard self.words[Self.word(number)] & Self.bit(number) == 0 else {
            return .duplicate
        }
        self.words[Self.word(number)] |= Self.bit(number)
        return .new
    }

    /// Makes room for a number and those before it that did not come yet.
    private mutating func advance(past number: UInt64) {
        if number - self.next >= Self.capacity {
            for index in self.words.indices {
                self.words[index] = 0
            }
        } else {
            for skipped in self.next...number {
                self.words[Self.word(skipped)] &= ~Self.bit(skipped)
            }
        }
        self.next = number + 1
    }

    private static func word(_ number: UInt64) -> Int {
        Int(number & (self.capacity - 1)) >> 6
    }

    private static func bit(_ number: UInt64) -> UInt64 {
        1 << (number & 63)
    }
}
