// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import Synchronization

/// The endpoints of one server that listen at one port, each with a loop of its own, and the rule that says which of them a
/// packet is for.
///
/// The rule: the first byte of the connection ID that a packet is sent to, modulo the number of members, is the member. The
/// connection IDs that a member gives out follow it, so that a connection stays where it is whatever happens to its client's
/// address. With the ID that a client makes up for its first packets the rule chooses a member, and the same one for a packet
/// that is repeated.
///
/// The kernel applies the rule where it lets itself be told (``KernelSteering``). Whatever reaches another member, because the
/// kernel knows nothing of the rule or has joined packets of several connections, is handed over by that one.
package final class PortGroup: Sendable {
    /// No group has more members.
    package static let mostMembers = 8

    /// Whether the kernel applies the rule.
    package enum KernelSteering: Sendable, Hashable {
        /// It does.
        case active
        /// It spreads packets by the addresses of both sides, and the members hand over what is not theirs. With the reason.
        case inactive(String)
    }

    /// One endpoint of a group.
    package struct Member: Sendable {
        /// The group.
        package let group: PortGroup
        /// Its number, below the group's ``PortGroup/count``. The members have to begin to listen in the order of their
        /// numbers: the kernel counts its sockets so.
        package let index: Int
    }

    /// How many members there are.
    package let count: Int

    let mailboxes: [PacketMailbox]

    private let steering: Locked<KernelSteering>
    private let isKernelAsked: Bool

    /// One bit for each member that has connected to somebody.
    private let callers = Atomic<UInt8>(0)

    /// Creates a group, of which no member listens yet.
    ///
    /// - Parameters:
    ///   - count: how many members it has; a number out of 1 to ``mostMembers`` is brought there.
    ///   - asksKernel: whether the kernel is told the rule.
    package init(count: Int, asksKernel: Bool = true) {
        let count = min(max(count, 1), Self.mostMembers)
        self.count = count
        self.mailboxes = (0..<count).map { _ in PacketMailbox() }
        self.isKernelAsked = asksKernel
        self.steering = Locked(.inactive(asksKernel ? "not all members listen yet" : "it was not told to"))
    }

    /// The members, in the order in which they have to begin to listen.
    package var members: [Member] {
        (0..<self.count).map { Member(group: self, index: $0) }
    }

    /// Whether the kernel applies the rule; known when the last member listens.
    package var kernelSteering: KernelSteering {
        self.steering.withLock { $0 }
    }

    /// Tells the kernel the rule, with `attach`, which returns 0 or an error number. To be called by a member that listens.
    /// - Returns: why the kernel does not take it, if it was asked.
    func listens(_ member: Member, attach: () -> CInt) -> String? {
        // The program counts sockets in the order in which they were bound, so it comes when all are.
        guard member.index == self.count - 1, self.isKernelAsked else {
            return nil
        }
        let error = attach()
        let obstacle = error == 0 ? nil : systemErrorText(error)
        self.steering.withLock { $0 = obstacle.map { .inactive($0) } ?? .active }
        return obstacle
    }

    /// Notes that a member connects to somebody.
    func calls(_ member: Member) {
        self.callers.bitwiseOr(1 << UInt8(member.index), ordering: .relaxed)
    }

    /// One bit for each other member that has connected to somebody.
    func otherCallers(than member: Member) -> UInt8 {
        self.callers.load(ordering: .relaxed) & ~(1 << UInt8(member.index))
    }

    /// The member that a datagram is for; nil when it is too short to say, and stays where it is.
    ///
    /// The kernel gets the same rule from `cls_udp_steer`, and `cpq_mark_connection_ids` makes IDs for it.
    func owner(of datagram: UnsafeMutableBufferPointer<UInt8>) -> Int? {
        guard let first = unsafe datagram.first else {
            return nil
        }
        // RFC 8999 section 5: in a long header four bytes of version and one of length come before the ID.
        let position = first & 0x80 == 0 ? 1 : 6
        guard position < datagram.count else {
            return nil
        }
        return Int(unsafe datagram[position]) % self.count
    }
}
