// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CPicoquic

/// Room in a packet for one datagram. Valid only inside the call that hands it out.
@safe
public struct QUICDatagramSlot: ~Copyable {
    private let context: UnsafeMutableRawPointer

    /// The largest datagram that fits here.
    public let capacity: Int

    private var isAnswered = false

    /// Whether there is no datagram after all.
    private(set) var isGivenUp = false

    init(context: UnsafeMutableRawPointer, capacity: Int) {
        unsafe self.context = unsafe context
        self.capacity = capacity
    }

    /// Puts a datagram into the packet. Only the first answer counts.
    ///
    /// - Parameters:
    ///   - count: its size, 1 to ``capacity``.
    ///   - hasMore: whether further datagrams wait.
    ///   - fill: writes exactly `count` bytes.
    /// - Returns: whether the library took it. When not, nothing was sent and `fill` was not called.
    @discardableResult
    public mutating func provide(
        count: Int,
        hasMore: Bool,
        fill: (UnsafeMutableRawBufferPointer) -> Void
    ) -> Bool {
        guard !self.isAnswered, count > 0, count <= self.capacity else {
            return false
        }
        self.isAnswered = true
        let buffer = unsafe picoquic_provide_datagram_buffer_ex(
            self.context,
            count,
            hasMore ? picoquic_datagram_active_any_path : picoquic_datagram_not_active
        )
        guard let buffer = unsafe buffer else {
            return false
        }
        unsafe fill(UnsafeMutableRawBufferPointer(start: buffer, count: count))
        return true
    }

    /// Sends nothing here. With `hasMore` the library asks again with a fresh packet, which has the most room there is.
    public mutating func decline(hasMore: Bool) {
        guard !self.isAnswered else {
            return
        }
        self.isAnswered = true
        self.isGivenUp = !hasMore
        _ = unsafe picoquic_provide_datagram_buffer_ex(
            self.context,
            0,
            hasMore ? picoquic_datagram_active_any_path : picoquic_datagram_not_active
        )
    }
}
