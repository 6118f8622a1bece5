// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Tells payloads apart without keeping them. It does not depend on how a payload is cut into parts. It is no defence
/// against somebody who looks for two payloads with one digest: who can do that can as well publish one of them only.
///
/// Every byte that a receiver gets goes through here. Units of 16 bytes go to four lanes in turn, since the steps of one
/// lane have to wait for each other, and the processor does those of different lanes at the same time.
public struct PayloadDigest: Hashable, Sendable {
    private static let unit = 16
    private static let block = 4 * Self.unit

    private var first: UInt64 = 0x6A09_E667_F3BC_C908
    private var second: UInt64 = 0xBB67_AE85_84CA_A73B
    private var third: UInt64 = 0x3C6E_F372_FE94_F82B
    private var fourth: UInt64 = 0xA54F_F53A_5F1D_36F1
    /// The lane that the next unit goes to.
    private var lane = 0
    /// The unit that is not complete yet, and how many of its bytes are there: fewer than a unit has.
    private var pending: UInt128 = 0
    private var pendingCount = 0

    /// The digest of nothing.
    public init() {}

    /// The digest of what came so far.
    package var value: UInt64 {
        var end = self
        end.mix(self.pending)
        return Self.fold(end.first ^ end.second.byteSwapped, end.third ^ end.fourth.byteSwapped)
    }

    /// The next part of the payload.
    public mutating func update(_ bytes: RawSpan) {
        let count = bytes.byteCount
        guard count >= Self.unit else {
            for offset in 0..<count {
                self.take(unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
            }
            return
        }
        var offset = 0
        if self.pendingCount > 0 {
            offset = Self.unit &- self.pendingCount
            let missing = Self.unit(of: bytes, at: 0) &<< UInt128(truncatingIfNeeded: 8 &* self.pendingCount)
            self.mix(self.pending | missing)
        }
        while self.lane > 0, count &- offset >= Self.unit {
            self.mix(Self.unit(of: bytes, at: offset))
            offset &+= Self.unit
        }
        // Here the next unit is the first lane's, or less than a unit is left.
        var (first, second, third, fourth) = (self.first, self.second, self.third, self.fourth)
        for _ in 0..<(count &- offset) / Self.block {
            first = Self.step(first, bytes, offset)
            second = Self.step(second, bytes, offset &+ 16)
            third = Self.step(third, bytes, offset &+ 32)
            fourth = Self.step(fourth, bytes, offset &+ 48)
            offset &+= Self.block
        }
        (self.first, self.second, self.third, self.fourth) = (first, second, third, fourth)
        while count &- offset >= Self.unit {
            self.mix(Self.unit(of: bytes, at: offset))
            offset &+= Self.unit
        }
        self.pendingCount = count &- offset
        self.pending =
            self.pendingCount == 0
            ? 0
            : Self.unit(of: bytes, at: count &- Self.unit)
                &>> UInt128(truncatingIfNeeded: 8 &* (Self.unit &- self.pendingCount))
    }

    private mutating func take(_ byte: UInt8) {
        self.pending |= UInt128(byte) &<< UInt128(truncatingIfNeeded: 8 &* self.pendingCount)
        self.pendingCount &+= 1
        if self.pendingCount == Self.unit {
            self.mix(self.pending)
            self.pending = 0
            self.pendingCount = 0
        }
    }

    /// Gives a unit to the lane whose turn it is.
    private mutating func mix(_ unit: UInt128) {
        let low = UInt64(truncatingIfNeeded: unit)
        let high = UInt64(truncatingIfNeeded: unit &>> 64)
        switch self.lane {
        case 0: self.first = Self.step(self.first, low, high)
        case 1: self.second = Self.step(self.second, low, high)
        case 2: self.third = Self.step(self.third, low, high)
        default: self.fourth = Self.step(self.fourth, low, high)
        }
        self.lane = (self.lane &+ 1) & 3
    }

    private static func step(_ state: UInt64, _ bytes: RawSpan, _ offset: Int) -> UInt64 {
        self.step(state, self.word(of: bytes, at: offset), self.word(of: bytes, at: offset &+ 8))
    }

    private static func step(_ state: UInt64, _ low: UInt64, _ high: UInt64) -> UInt64 {
        self.fold(low ^ 0x9E37_79B9_7F4A_7C15, high ^ state)
    }

    private static func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }

    /// - Precondition: 16 bytes are there.
    private static func unit(of bytes: RawSpan, at offset: Int) -> UInt128 {
        UInt128(self.word(of: bytes, at: offset &+ 8)) &<< 64 | UInt128(self.word(of: bytes, at: offset))
    }

    /// - Precondition: eight bytes are there. ``update(_:)`` has counted them, and a check of each word would cost as much as
    ///   what is done with it.
    private static func word(of bytes: RawSpan, at offset: Int) -> UInt64 {
        unsafe UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
    }
}
