// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#if os(Linux)
import CLoopSupport
import CPicoquic
import Glibc

/// Gathers what the library wants to send, and hands it to the kernel in few and large portions. (loop)
///
/// The library writes each result behind the one before (``withTail(_:)``). A result for the same path with datagrams of the
/// same size becomes part of the same message, which the kernel cuts (UDP GSO); several messages leave with one call.
///
/// What the library believes sent is sent: when the kernel has no room, messages stay here, and nothing more is to be
/// asked of the library until ``flush()`` has got rid of them.
@safe
final class DatagramSender {
    /// What one result of the library is about.
    struct Path {
        var to = sockaddr_storage()
        /// Of the family AF_UNSPEC when the kernel is to choose.
        var from = sockaddr_storage()
        var interface: CInt = 0
        /// Names the connection to the library when its peer cannot be reached.
        var connectionID = picoquic_connection_id_t()
        /// Tells connections apart within a batch.
        var connection: UInt = 0
        /// Which of the endpoint's sockets.
        var socket = 0
    }

    /// The largest UDP payload over IPv4.
    static let largestMessage = 65_507
    /// What older kernels cut a message into at most.
    static let segmentsPerMessage = 64
    private static let arenaSize = 3 * 65_536
    /// More messages than this make the first ones wait too long.
    private static let messagesPerCall = 8
    private static let packetsPerCall = 44

    /// Sends messages at a descriptor, as `cls_send` does.
    typealias Transmit = (CInt, UnsafePointer<cls_message>, UInt32) -> CInt

    private let transmit: Transmit
    /// Told of a peer that cannot be reached, with the error number.
    private let unreachable: (Path, CInt) -> Void
    private let sockets: [UDPSocket]
    private let arena: UnsafeMutablePointer<UInt8>
    private let messages: UnsafeMutablePointer<cls_message>
    private var paths: [Path] = []
    private var used = 0
    private var packets = 0
    private var sent = 0

    /// Whether the kernel cuts messages; not any more after a network card's driver refused.
    private(set) var cutsMessages: Bool
    /// Which socket has no room; nil when all has been sent.
    private(set) var blocked: Int?
    /// How many messages the system refused; the library repeats what was in them as if it were lost.
    private(set) var refused: UInt64 = 0

    /// Why nothing can be sent at all any more; nil as long as the sockets are alive.
    private(set) var failure: CInt?

    /// Whether an error is the socket's own, and not that of one message.
    static func isOfSocket(_ error: CInt) -> Bool {
        error == EBADF || error == ENOTSOCK
    }

    init(
        _ sockets: [UDPSocket],
        transmit: @escaping Transmit = { unsafe cls_send($0, $1, $2) },
        unreachable: @escaping (Path, CInt) -> Void
    ) {
        unsafe self.transmit = transmit
        self.unreachable = unreachable
        self.sockets = sockets
        self.cutsMessages = sockets.allSatisfy(\.cutsMessages)
        unsafe self.arena = .allocate(capacity: Self.arenaSize)
        unsafe self.messages = .allocate(capacity: Int(CLS_MESSAGES_AT_ONCE))
        unsafe self.messages.initialize(repeating: unsafe cls_message(), count: Int(CLS_MESSAGES_AT_ONCE))
        self.paths.reserveCapacity(Int(CLS_MESSAGES_AT_ONCE))
    }

    deinit {
        unsafe self.messages.deallocate()
        unsafe self.arena.deallocate()
    }

    /// Whether the batch should leave now.
    var isFull: Bool {
        self.packets >= Self.packetsPerCall
            || self.paths.count >= (self.cutsMessages ? Self.messagesPerCall : Self.packetsPerCall)
            || self.used > Self.arenaSize - Self.largestMessage
    }

    /// Lends the room for the next result. Precondition: not ``isFull``, nothing is ``blocked``.
    func withTail<R>(_ body: (UnsafeMutablePointer<UInt8>, Int) -> R) -> R {
        let room: Int
        if !self.cutsMessages {
            room = Int(PICOQUIC_MAX_PACKET_SIZE)
        } else if let last = self.open {
            room = unsafe Self.largestMessage - self.messages[last].count
        } else {
            room = Self.largestMessage
        }
        // A message that is nearly full is not added to.
        return unsafe body(self.arena + self.used, max(room, Int(PICOQUIC_MAX_PACKET_SIZE)))
    }

    /// The last message, if something may be added: the kernel allows only the last datagram to be shorter.
    private var open: Int? {
        let last = self.paths.count - 1
        guard last >= 0, self.cutsMessages else {
            return nil
        }
        let message = unsafe self.messages[last]
        guard unsafe message.count.isMultiple(of: message.segment),
            unsafe message.count < Self.largestMessage - 2_048
        else {
            return nil
        }
        return last
    }

    /// Takes the result that was written to the tail: `count` bytes in datagrams of `segment`, or one when that is 0.
    func append(_ count: Int, segment: Int, on path: Path) {
        let segment = segment > 0 ? min(segment, count) : count
        let added = (count + segment - 1) / segment
        if self.joins(path, count: count, segment: segment, added: added) {
            unsafe self.messages[self.paths.count - 1].count += count
        } else {
            var message = unsafe cls_message()
            unsafe message.bytes = UnsafePointer(self.arena + self.used)
            unsafe message.count = count
            unsafe message.segment = segment
            unsafe message.to = path.to
            unsafe message.from = path.from
            unsafe message.interface = path.interface
            unsafe self.messages[self.paths.count] = message
            self.paths.append(path)
        }
        self.used += count
        self.packets += added
    }

    private func joins(_ path: Path, count: Int, segment: Int, added: Int) -> Bool {
        guard let last = self.open else {
            return false
        }
        let message = unsafe self.messages[last]
        let open = self.paths[last]
        return unsafe open.connection == path.connection && open.socket == path.socket
            && open.interface == path.interface
            && (segment == message.segment || (added == 1 && segment < message.segment))
            && message.count + count <= Self.largestMessage
            && message.count / message.segment + added <= Self.segmentsPerMessage
            && Self.areEqual(open.to, path.to) && Self.areEqual(open.from, path.from)
    }

    private static func areEqual(_ left: sockaddr_storage, _ right: sockaddr_storage) -> Bool {
        var left = left
        var right = right
        // Port and address of either family lie in the first 28 bytes.
        return unsafe memcmp(&left, &right, MemoryLayout<sockaddr_in6>.size) == 0
    }

    /// Sends what has been gathered. Afterwards nothing is left, or a socket is ``blocked``.
    func flush() {
        self.blocked = nil
        while self.sent < self.paths.count {
            let path = self.paths[self.sent]
            let descriptor = self.sockets[path.socket].descriptor
            let count = UInt32(self.endOfRun(from: self.sent) - self.sent)
            let outcome = unsafe self.transmit(descriptor, self.messages + self.sent, count)
            if outcome > 0 {
                self.sent += Int(outcome)
                continue
            }
            let error = -outcome
            if error == EAGAIN || error == EWOULDBLOCK {
                self.blocked = path.socket
                return
            }
            let isCut = unsafe self.messages[self.sent].segment < self.messages[self.sent].count
            if isCut, [EIO, EINVAL, EMSGSIZE].contains(error) {
                // The driver of this interface cannot cut. So it will be for the next one.
                self.cutsMessages = self.cutsMessages && error != EIO
                guard self.transmitSingly(self.sent, descriptor) else {
                    self.blocked = path.socket
                    return
                }
            } else {
                self.refused &+= 1
                if Self.isOfSocket(error) {
                    self.failure = error
                }
                if [EAFNOSUPPORT, ECONNRESET, EHOSTUNREACH, ENETDOWN, ENETUNREACH].contains(error) {
                    self.unreachable(path, error)
                }
            }
            self.sent += 1
        }
        self.paths.removeAll(keepingCapacity: true)
        self.sent = 0
        self.packets = 0
        self.used = 0
    }

    /// Where the messages end that leave at the socket of the first one. One call sends at one socket.
    private func endOfRun(from first: Int) -> Int {
        let socket = self.paths[first].socket
        var end = first + 1
        while end < self.paths.count, self.paths[end].socket == socket {
            end += 1
        }
        return end
    }

    /// Sends a message datagram by datagram. Returns false when there is no room; what was sent is taken off it.
    private func transmitSingly(_ index: Int, _ descriptor: CInt) -> Bool {
        while unsafe self.messages[index].count > 0 {
            var one = unsafe self.messages[index]
            unsafe one.count = min(one.segment, one.count)
            unsafe one.segment = 0
            let outcome = unsafe self.transmit(descriptor, &one, 1)
            if outcome == -EAGAIN || outcome == -EWOULDBLOCK {
                return false
            }
            if outcome <= 0 {
                self.refused &+= 1
            }
            unsafe self.messages[index].bytes += one.count
            unsafe self.messages[index].count -= one.count
        }
        return true
    }
}
#endif
