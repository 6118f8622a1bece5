// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Memory that the pieces of something longer are copied into as they arrive, one behind the other.
///
/// One allocation serves many pieces: a payload that comes in a packet after the other costs one for the whole, not one for
/// each packet. All who hold a piece hold the block, so what shares a block should go at the same time: the pieces of one
/// object do.
struct BytesBlock {
    /// A block is at most so many times as long as the first piece in it, so that a peer that announces much and sends little
    /// has little memory set aside.
    private static let largestFactor = 16
    private static let largestCapacity = 64 << 10

    private var storage: BytesStorage?
    private var used = 0
    private var capacity = 0

    /// Makes a copy of a piece that so many bytes of the same whole will come behind. With the last piece the block is let go.
    mutating func copy(_ piece: RawSpan, followedBy rest: UInt64) -> Bytes {
        let count = piece.byteCount
        if count > self.capacity - self.used, !self.begin(with: count, followedBy: rest) {
            return Bytes(copying: piece)
        }
        guard let storage = self.storage else { return Bytes(copying: piece) }
        let start = self.used
        unsafe piece.copy(to: storage.base + start)
        self.used = start + count
        if rest == 0 { self.removeAll() }
        return Bytes(storage: storage, offset: start, count: count)
    }

    /// Lets the block go, because the rest of the whole will not come.
    mutating func removeAll() {
        self.storage = nil
        self.used = 0
        self.capacity = 0
    }

    /// Takes a new block in the place of the one before, if a piece of so many bytes has others to share it with.
    private mutating func begin(with count: Int, followedBy rest: UInt64) -> Bool {
        self.removeAll()
        guard rest > 0, count <= Self.largestCapacity / 2 else { return false }
        let room = min(count * Self.largestFactor, Self.largestCapacity)
        self.capacity = count + Int(min(rest, UInt64(room - count)))
        self.storage = BytesStorage.allocate(capacity: self.capacity)
        return true
    }
}
