// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#if os(Linux)
import CLoopSupport

/// Hands over what has reached a member of a ``PortGroup`` and is another's, and takes what the others hand over. (loop)
///
/// What a round of the loop has received for one member goes over in one piece: a lock and at most one wake-up for all of it.
final class PacketForwarder {
    /// So many packets without a connection are shown to others in a round; see ``showToCallers(_:_:)``.
    private static let orphansPerRound = 16

    private let member: PortGroup.Member
    private let mailbox: PacketMailbox
    private var batches: [PacketBatch]
    private var hasOutgoing = false
    private var orphans = 0

    /// How many packets were handed over.
    private(set) var forwarded: UInt64 = 0

    /// How many packets were not, because there was no room for them.
    private(set) var refused: UInt64 = 0

    init(_ member: PortGroup.Member) {
        self.member = member
        self.mailbox = member.group.mailboxes[member.index]
        self.batches = Array(repeating: PacketBatch(), count: member.group.count)
    }

    /// Takes what others hand over from now on. `wake` ends the loop's wait.
    func open(wake: @escaping @Sendable () -> Void) {
        self.mailbox.open(wake: wake)
    }

    /// Takes nothing any more. When this returns nobody is inside the wake closure, and nobody will be.
    func close() {
        self.mailbox.close()
    }

    /// Whether a datagram is for this member. If not, it leaves with the next ``flush()``.
    func keeps(_ datagram: UnsafeMutableBufferPointer<UInt8>, _ source: UnsafePointer<cls_received>) -> Bool {
        guard let owner = unsafe self.member.group.owner(of: datagram), owner != self.member.index else {
            return true
        }
        unsafe self.append(datagram, source, to: owner, isOrphan: false)
        return false
    }

    /// Shows a packet that no connection has taken to those members that have connected to others.
    ///
    /// It may be a stateless reset (RFC 9000 section 10.3) for one of their connections, which has random bytes in the place
    /// of a connection ID and so arrives anywhere. Few in each round, because nobody has vouched for them.
    func showToCallers(_ datagram: UnsafeMutableBufferPointer<UInt8>, _ source: UnsafePointer<cls_received>) {
        let callers = self.member.group.otherCallers(than: self.member)
        guard callers != 0, self.orphans < Self.orphansPerRound,
            let first = unsafe datagram.first, first & 0x80 == 0
        else {
            return
        }
        self.orphans += 1
        for index in self.batches.indices where callers & (1 << UInt8(index)) != 0 {
            unsafe self.append(datagram, source, to: index, isOrphan: true)
        }
    }

    private func append(
        _ datagram: UnsafeMutableBufferPointer<UInt8>,
        _ source: UnsafePointer<cls_received>,
        to index: Int,
        isOrphan: Bool
    ) {
        unsafe self.batches[index].append(
            datagram,
            from: source.pointee.from,
            to: source.pointee.to,
            interface: source.pointee.interface,
            ecn: source.pointee.ecn,
            isOrphan: isOrphan
        )
        self.hasOutgoing = true
    }

    /// Hands over what has gathered.
    func flush() {
        self.orphans = 0
        guard self.hasOutgoing else {
            return
        }
        self.hasOutgoing = false
        for index in self.batches.indices where !self.batches[index].packets.isEmpty {
            var batch = PacketBatch()
            swap(&batch, &self.batches[index])
            let count = UInt64(batch.packets.count)
            if self.member.group.mailboxes[index].deliver(batch) {
                self.forwarded &+= count
            } else {
                self.refused &+= count
            }
        }
    }

    /// Lends what others have handed over, packet by packet, until there were `limit` or a few more. `isOrphan` says that it
    /// was this member's only by chance.
    /// - Returns: whether more waits.
    func receive(
        upTo limit: Int,
        _ body: (
            _ datagram: UnsafeMutableBufferPointer<UInt8>, _ source: UnsafeMutablePointer<cls_received>,
            _ isOrphan: Bool
        ) -> Void
    ) -> Bool {
        for var batch in self.mailbox.take(upTo: limit) {
            unsafe batch.forEach { datagram, packet in
                var source = unsafe cls_received()
                unsafe source.from = packet.from
                unsafe source.to = packet.to
                unsafe source.interface = packet.interface
                unsafe source.ecn = packet.ecn
                unsafe body(datagram, &source, packet.isOrphan)
            }
        }
        return !self.mailbox.isEmpty
    }
}
#endif
