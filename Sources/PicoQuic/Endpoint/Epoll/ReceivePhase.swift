// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#if os(Linux)
import CLoopSupport
import CPicoquic
import Glibc

/// Takes what has arrived at the sockets of an endpoint, a bounded amount in each round of the loop. (loop)
///
/// However fast it arrives, and whether or not it is worth anything, a round ends after ``datagramsPerRound`` datagrams
/// (and the rest of what the last call of the system has brought), so that sending and the tasks get their turn. Of
/// that, each socket that has something gets an equal share, so that a flood at one keeps nobody from being heard at
/// another.
final class ReceivePhase {
    /// How many datagrams end a round.
    static let datagramsPerRound = 256
    /// So many failures to receive in a row are not the network's.
    private static let mostFailures = 1_000

    private let sockets: [UDPSocket]
    private let receiver: DatagramReceiver
    private var failures = 0
    private var oversize: UInt64 = 0
    private var overflows: [WrappingCount]

    /// How many messages were not looked at: larger than any packet of the library, or without a sender.
    var dropped: UInt64 { self.receiver.dropped &+ self.oversize }

    /// How many messages the kernel has dropped because a socket's buffer was full, as far as it has said so: it does
    /// with the next message that it has room for. (What it has joined is one message.)
    var overflowed: UInt64 { self.overflows.reduce(0) { $0 &+ $1.total } }

    /// - Throws: `systemFailure` without memory.
    init(_ sockets: [UDPSocket]) throws(QUICError) {
        self.sockets = sockets
        self.receiver = try DatagramReceiver()
        self.overflows = Array(repeating: WrappingCount(), count: sockets.count)
    }

    /// Takes a round's worth of datagrams.
    ///
    /// - Parameters:
    ///   - readable: one bit for each socket that is to be looked at; others are left out.
    ///   - body: gets each datagram, whose bytes it may change while it runs, with what is known of it and the time.
    /// - Returns: whether more may wait.
    /// - Throws: `systemFailure` when a socket cannot be used any more.
    func run(
        _ readable: UInt32,
        _ body: (
            _ datagram: UnsafeMutableBufferPointer<UInt8>, _ source: UnsafeMutablePointer<cls_received>, _ now: UInt64
        ) -> Void
    ) throws(QUICError) -> Bool {
        let known = (UInt32(1) << UInt32(self.sockets.count)) - 1
        let share = Self.datagramsPerRound / max(1, (readable & known).nonzeroBitCount)
        var hasMore = false
        for number in self.sockets.indices where readable & (1 << UInt32(number)) != 0 {
            var budget = share
            var isDone = false
            while !isDone, budget > 0 {
                let now = picoquic_current_time()
                let outcome = unsafe self.receiver.receive(from: self.sockets[number]) { datagram, source in
                    guard datagram.count <= Int(PICOQUIC_MAX_PACKET_SIZE) else {
                        self.oversize &+= 1
                        return
                    }
                    unsafe body(datagram, source, now)
                }
                if let overflow = self.receiver.overflow {
                    self.overflows[number].note(overflow)
                }
                switch outcome {
                case .received(let count, let mayHaveMore):
                    self.failures = 0
                    budget -= count
                    isDone = !mayHaveMore
                case .failed(let error):
                    // What the network answered to a packet of ours may be reported here; the connection finds out
                    // itself.
                    self.failures += 1
                    guard self.failures < Self.mostFailures, !DatagramSender.isOfSocket(error) else {
                        throw EpollDriver.socketFailure(error)
                    }
                    isDone = true
                }
            }
            hasMore = hasMore || !isDone
        }
        return hasMore
    }
}
#endif
