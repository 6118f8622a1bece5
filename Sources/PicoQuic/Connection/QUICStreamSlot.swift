// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CPicoquic

/// Room in a packet for the bytes of one stream. Valid only inside the call that hands it out.
@safe
public struct QUICStreamSlot: ~Copyable {
    /// The opaque context of the library's callback.
    private let context: UnsafeMutableRawPointer

    /// How many bytes there is room for.
    public let capacity: Int

    private var isAnswered = false

    /// Whether something of the stream goes into the packet.
    private(set) var isUsed = false

    init(context: UnsafeMutableRawPointer, capacity: Int) {
        unsafe self.context = unsafe context
        self.capacity = capacity
    }

    /// Puts bytes, the end of the stream, or both into the packet. Only the first call counts.
    ///
    /// - Parameters:
    ///   - count: how many bytes; at most ``capacity``.
    ///   - isFinished: whether the stream ends behind them.
    ///   - isStillActive: whether there is more to send, so that the library asks again.
    ///   - fill: writes exactly `count` bytes; not called when `count` is 0.
    /// - Returns: whether the library took it. When not, nothing was sent and `fill` was not called.
    @discardableResult
    public mutating func provide(
        count: Int,
        isFinished: Bool,
        isStillActive: Bool,
        fill: (UnsafeMutableRawBufferPointer) -> Void
    ) -> Bool {
        guard !self.isAnswered, count >= 0, count <= self.capacity else {
            return false
        }
        self.isAnswered = true
        let buffer = unsafe picoquic_provide_stream_data_buffer(
            self.context,
            count,
            isFinished ? 1 : 0,
            isStillActive ? 1 : 0
        )
        guard let buffer = unsafe buffer else {
            return false
        }
        self.isUsed = count > 0 || isFinished
        if count > 0 {
            unsafe fill(UnsafeMutableRawBufferPointer(start: buffer, count: count))
        }
        return true
    }

    /// Says that there is nothing to send: the stream is not asked again until it is marked active.
    public mutating func decline() {
        unsafe self.provide(count: 0, isFinished: false, isStillActive: false) { _ in }
    }
}
