// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#if os(Linux)
import CLoopSupport
import CPicoquic
import Glibc

/// Takes what has arrived at a socket in few calls, and cuts it into datagrams where the kernel has joined them (UDP GRO).
/// (loop)
@safe
final class DatagramReceiver {
    /// How many messages are taken at once. A message may hold dozens of datagrams.
    private static let slots: UInt32 = 8

    private let receiver: OpaquePointer

    /// How many datagrams did not fit, came from nowhere, or were empty.
    private(set) var dropped: UInt64 = 0

    /// What the kernel last said, in the latest call, about how many messages a socket had no room for; nil when it did
    /// not.
    private(set) var overflow: UInt32?

    /// - Throws: `systemFailure` without memory.
    init() throws(QUICError) {
        guard let receiver = unsafe cls_receiver_create(Self.slots) else {
            throw QUICError(.systemFailure, "there is no memory to receive packets into")
        }
        unsafe self.receiver = receiver
    }

    deinit {
        unsafe cls_receiver_free(self.receiver)
    }

    /// What one call brought.
    enum Outcome {
        /// So many datagrams, those that were dropped included, and whether more may wait.
        case received(Int, hasMore: Bool)
        /// The system reported an error, with this number.
        case failed(CInt)
    }

    /// Hands what has arrived to `body`, datagram by datagram. It may change the bytes while it runs.
    func receive(
        from socket: UDPSocket,
        _ body: (_ datagram: UnsafeMutableBufferPointer<UInt8>, _ source: UnsafeMutablePointer<cls_received>) -> Void
    ) -> Outcome {
        var isLast: CInt = 0
        self.overflow = nil
        var bound = socket.bound
        let count = unsafe cls_receive(self.receiver, socket.descriptor, &bound, &isLast)
        guard count >= 0 else {
            return .failed(-count)
        }
        var datagrams = 0
        for index in 0..<UInt32(count) {
            let received = unsafe cls_receiver_at(self.receiver, index)
            if let received = unsafe received, unsafe received.pointee.tells_overflow != 0 {
                self.overflow = unsafe received.pointee.overflow
            }
            guard let received = unsafe received, let bytes = unsafe received.pointee.bytes,
                unsafe received.pointee.is_truncated == 0,
                unsafe CInt(received.pointee.from.ss_family) == socket.family
            else {
                self.dropped &+= 1
                datagrams += 1
                continue
            }
            let total = unsafe received.pointee.count
            if total == 0 {
                // It counts like any other, or a flood of them would have no end.
                self.dropped &+= 1
                datagrams += 1
            }
            let segment = unsafe max(1, received.pointee.segment)
            var offset = 0
            while offset < total {
                let length = min(segment, total - offset)
                unsafe body(UnsafeMutableBufferPointer(start: bytes + offset, count: length), received)
                offset += length
                datagrams += 1
            }
        }
        return .received(datagrams, hasMore: isLast == 0)
    }
}
#endif
