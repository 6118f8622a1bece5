// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// The first bytes of a datagram that waits, which are its receiver's own, while what follows is shared with others. They are
/// kept in place, so that a datagram that goes to many takes no memory for each of them.
struct DatagramHeader {
    /// How many bytes there is room for: those of an object without properties.
    static let capacity = 56

    private var bytes = InlineArray<56, UInt8>(repeating: 0)
    /// How many bytes there are.
    private(set) var count = 0

    /// None.
    init() {}

    /// Copies bytes; nil when there are too many.
    init?(copying span: RawSpan) {
        guard span.byteCount <= Self.capacity else { return nil }
        self.count = span.byteCount
        var index = 0
        while index < self.count {
            self.bytes[index] = span.byte(at: index)
            index += 1
        }
    }

    /// The bytes.
    var span: RawSpan {
        @_lifetime(borrow self)
        get { unsafe self.bytes.span.bytes.extracting(first: self.count) }
    }
}
