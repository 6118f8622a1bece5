// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#if os(Linux)
import CLoopSupport
import CPicoquic
import CPicoquicShims
import Glibc
import PacketLoop

/// Runs a loop and a context on a thread of our own, which receives and sends in batches.
///
/// Each round of the thread:
///
/// ```
///   wait ──▶ receive ──▶ turn ──▶ send ──▶ turn
///            up to 256    loop     up to 256
///            datagrams             datagrams, a turn after each batch that work waited for
/// ```
///
/// Both bounds keep one side from starving the other, and the tasks. What a ``PacketForwarder`` hands over and is handed comes
/// after what was received.
///
/// So a flood of garbage takes a part of each round and no more. It has no other way to grow anything here: what was
/// received is looked at where it lies, and of the answers that belong to no connection (version negotiation, Retry,
/// stateless reset, refusal) the library keeps at most 32 (PICOQUIC_MAX_PENDING_STATELESS_PACKETS). They are what it
/// wants to send first, a fraction of what a round may send, so that there is room for the connections in each.
///
/// The thread keeps one pointer to this object, retained from ``start()`` until ``join()``.
@safe
final class EpollDriver: EndpointDriver, @unchecked Sendable {
    // Unchecked because `context` and the plain variables are confined: to the starting thread until the loop's thread
    // exists, then to that thread, and after it has ended to the one that joins it. What is shared is in `life`.

    /// The longest sleep, in microseconds. Only a safety net: whoever has work for the loop wakes it.
    private static let longestWait: UInt64 = 200_000
    /// After so many rounds all sockets are looked at, also those that nothing is said to have arrived at.
    private static let roundsBetweenLooks: UInt64 = 64
    /// How many datagrams are sent in a round, or taken from other endpoints at the port.
    private static let datagramsPerRound = ReceivePhase.datagramsPerRound

    let loop: PacketLoop
    let context: QUICContext
    private let life = DriverLife()
    private let plan: SocketPlan
    private let name: CStringBox?
    private let member: PortGroup.Member?
    private let forwarder: PacketForwarder?
    private var thread: OpaquePointer?

    /// What hands messages to the kernel. Something else only in tests, which set it before the start.
    var transmit: DatagramSender.Transmit = { unsafe cls_send($0, $1, $2) }

    // Confined to the loop's thread once that exists.
    private var poller: EpollPoller?
    private var sockets: [UDPSocket] = []
    private var shouldEnd = false
    private var rounds: UInt64 = 0
    /// Whether the next round must begin at once.
    private var hasMore = false

    init(loop: PacketLoop, context: QUICContext, plan: SocketPlan) {
        self.loop = loop
        self.context = context
        self.plan = plan
        self.member = context.member
        self.forwarder = context.member.map { PacketForwarder($0) }
        self.name = CStringBox(String(loop.label.prefix(15)))
    }

    // MARK: - From outside

    func start() async throws(QUICError) -> UInt16 {
        try await self.life.start {
            do throws(QUICError) {
                try self.launch()
            } catch {
                self.release()
                self.life.settleStart(.failure(error))
                self.loop.begin()
                self.loop.end()
                self.life.didEnd()
            }
        }
    }

    private func launch() throws(QUICError) {
        guard let quic = unsafe self.context.raw else {
            throw QUICError(.systemFailure, "the QUIC library has no context")
        }
        let features = self.context.configuration.usableFeatures
        let poller = try EpollPoller(features: features)
        self.poller = poller
        self.sockets = try unsafe UDPSocket.open(self.plan, ecn: cpq_ecn_mark(quic), features: features)
        self.context.noteMissing(poller.isPrecise ? [] : .preciseWaits)
        for (number, socket) in self.sockets.enumerated() {
            try poller.add(socket, number: number)
            self.context.noteMissing(.ofSockets.subtracting(socket.features))
        }
        if let member {
            let obstacle = member.group.listens(member) {
                guard features.contains(.steering) else {
                    return ENOPROTOOPT
                }
                return self.sockets.lazy.map { $0.steer(among: member.group.count) }.first { $0 != 0 } ?? 0
            }
            self.context.noteMissing(obstacle == nil ? [] : .steering, reason: obstacle)
        }
        let pointer = unsafe Unmanaged.passRetained(self).toOpaque()
        guard let thread = unsafe cls_thread_start(self.name?.pointer, epollThread, pointer) else {
            unsafe Unmanaged<EpollDriver>.fromOpaque(pointer).release()
            throw QUICError(.systemFailure, "the loop's thread cannot be started")
        }
        unsafe self.thread = thread
        self.loop.attach { poller.wake() }
        self.forwarder?.open { poller.wake() }
        // Work that came before there was a way to wake the loop.
        poller.wake()
    }

    var isEnding: Bool { self.life.isEnding }

    func end() {
        self.shouldEnd = true
    }

    func waitForEnd() async {
        await self.life.waitForEnd()
    }

    func join() {
        self.loop.detach()
        if let thread = unsafe self.thread {
            unsafe self.thread = nil
            unsafe cls_thread_join(thread)
            unsafe Unmanaged.passUnretained(self).release()
        }
        // Has been freed by its thread, unless there never was one.
        self.context.free()
    }

    // MARK: - On the loop's thread

    /// The thread's whole life.
    fileprivate func run() {
        self.context.usePreciseTimers()
        self.loop.begin()
        self.context.onFinishedClient = { [unowned self] in self.hasMore = true }
        do throws(QUICError) {
            try self.serve()
        } catch {
            self.context.fail("the network thread has failed: \(error.message)")
            // When it failed at once.
            self.life.settleStart(.failure(error))
        }
        self.life.beginEnd()
        self.loop.detach()
        self.forwarder?.close()
        self.context.onFinishedClient = nil
        self.context.deleteAll()
        self.loop.end()
        self.context.free()
        self.release()
        self.life.didEnd()
    }

    /// Lets go of the sockets and of what waits for them.
    private func release() {
        self.sockets = []
        self.poller = nil
    }

    private func serve() throws(QUICError) {
        guard let quic = unsafe self.context.raw, let poller = self.poller, let port = self.sockets.first?.port else {
            throw QUICError(.systemFailure, "the loop's thread has nothing to serve")
        }
        unsafe cpq_claim_thread(quic)
        let receiving = try ReceivePhase(self.sockets)
        let sender = unsafe DatagramSender(self.sockets, transmit: self.transmit) { path, error in
            var path = path
            unsafe withUnsafeMutablePointer(to: &path.to) { to in
                unsafe withUnsafeMutablePointer(to: &path.from) { from in
                    unsafe picoquic_notify_destination_unreachable_by_cnxid(
                        quic,
                        &path.connectionID,
                        picoquic_current_time(),
                        UnsafeMutableRawPointer(to).assumingMemoryBound(to: sockaddr.self),
                        UnsafeMutableRawPointer(from).assumingMemoryBound(to: sockaddr.self),
                        path.interface,
                        error
                    )
                }
            }
        }
        let polled = QUICContext.microseconds(self.context.configuration.busyPoll)
        var sparePackets = SparePackets()
        self.life.settleStart(.success(port))
        while !self.shouldEnd {
            let blocked = sender.blocked
            let now = picoquic_current_time()
            unsafe sparePackets.trim(quic, at: now)
            let wait = unsafe self.wait(quic, from: now, isBlocked: blocked != nil)
            let ready = try poller.wait(wait, polled: polled)
            self.context.atSockets.polls &+= UInt64(ready.polls)
            self.context.atSockets.sleeps &+= ready.has_slept != 0 ? 1 : 0
            // A descriptor that somebody else closed is waited for no longer, so now and then all are looked at.
            self.rounds &+= 1
            let looksAtAll = wait == Self.longestWait || self.rounds.isMultiple(of: Self.roundsBetweenLooks)
            self.hasMore = false
            let mayHaveMore = try unsafe receiving.run(looksAtAll ? .max : ready.readable) { datagram, source, now in
                unsafe self.take(datagram, source, quic, now)
            }
            self.hasMore = self.hasMore || mayHaveMore
            unsafe self.exchange(quic)
            self.loop.turn()
            self.context.deleteFinishedClients()
            if let blocked, ready.writable & (1 << UInt32(blocked)) != 0 {
                sender.flush()
            }
            if sender.blocked == nil {
                try unsafe self.send(sender, quic)
            }
            if !sender.cutsMessages {
                // It may have turned out with a message.
                self.context.noteMissing(.cuttingMessages)
            }
            self.context.atSockets.messagesRefused = sender.refused
            self.context.atSockets.messagesDropped = receiving.dropped
            self.context.atSockets.messagesOverflowed = receiving.overflowed
            if let error = sender.failure {
                throw Self.socketFailure(error)
            }
            // The one that has room again may be full again by now: then it stays watched.
            if sender.blocked != blocked {
                if let blocked { poller.watchRoom(of: self.sockets[blocked], number: blocked, false) }
                if let now = sender.blocked { poller.watchRoom(of: self.sockets[now], number: now, true) }
            }
            self.loop.turn()
        }
    }

    static func socketFailure(_ error: CInt) -> QUICError {
        QUICError(.systemFailure, "the socket has failed: \(systemErrorText(error))")
    }

    /// How many microseconds there is nothing to do.
    private func wait(_ quic: OpaquePointer, from now: UInt64, isBlocked: Bool) -> UInt64 {
        let ours = self.loop.timeUntilNextTurn(from: LoopInstant(microseconds: now)) ?? Self.longestWait
        guard !self.hasMore else {
            return 0
        }
        guard !isBlocked else {
            return min(ours, Self.longestWait)
        }
        let library = unsafe picoquic_get_next_wake_delay(quic, now, Int64(Self.longestWait))
        return min(ours, UInt64(clamping: library))
    }

    /// Takes a datagram that has arrived at a socket of this endpoint.
    private func take(
        _ datagram: UnsafeMutableBufferPointer<UInt8>,
        _ source: UnsafeMutablePointer<cls_received>,
        _ quic: OpaquePointer,
        _ now: UInt64
    ) {
        guard let forwarder = self.forwarder else {
            _ = unsafe self.handle(datagram, source, quic, now)
            return
        }
        if unsafe forwarder.keeps(datagram, source), unsafe !self.handle(datagram, source, quic, now) {
            unsafe forwarder.showToCallers(datagram, source)
        }
    }

    /// Hands over what has arrived for other endpoints at this port, and takes what they hand over.
    private func exchange(_ quic: OpaquePointer) {
        guard let forwarder = self.forwarder else {
            return
        }
        // Before, so that it need not wait for what is taken here; and after, for what that was.
        forwarder.flush()
        let now = picoquic_current_time()
        let hasMore = unsafe forwarder.receive(upTo: Self.datagramsPerRound) { datagram, source, isOrphan in
            if unsafe !self.handle(datagram, source, quic, now, isOrphan: isOrphan), !isOrphan {
                unsafe forwarder.showToCallers(datagram, source)
            }
        }
        forwarder.flush()
        self.hasMore = self.hasMore || hasMore
        self.context.atSockets.packetsForwarded = forwarder.forwarded
        self.context.atSockets.packetsNotForwarded = forwarder.refused
    }

    /// Gives the library one datagram, and lets what that brings about happen. `isOrphan` says that somebody else had
    /// it before, and no connection for it.
    /// - Returns: whether there was a connection for it.
    private func handle(
        _ datagram: UnsafeMutableBufferPointer<UInt8>,
        _ source: UnsafeMutablePointer<cls_received>,
        _ quic: OpaquePointer,
        _ now: UInt64,
        isOrphan: Bool = false
    ) -> Bool {
        var connection: OpaquePointer?
        unsafe withUnsafeMutablePointer(to: &source.pointee.from) { from in
            unsafe withUnsafeMutablePointer(to: &source.pointee.to) { to in
                // What is wrong with a packet is between its sender and the library.
                _ = unsafe picoquic_incoming_packet_ex(
                    quic,
                    datagram.baseAddress,
                    datagram.count,
                    UnsafeMutableRawPointer(from).assumingMemoryBound(to: sockaddr.self),
                    UnsafeMutableRawPointer(to).assumingMemoryBound(to: sockaddr.self),
                    source.pointee.interface,
                    source.pointee.ecn,
                    &connection,
                    now
                )
            }
        }
        self.loop.turnWithinBatch()
        let isClaimed = unsafe connection != nil
        // What is shown to several was counted where it came first.
        if !isClaimed, !isOrphan {
            self.context.atSockets.packetsUnclaimed &+= 1
        }
        return isClaimed
    }

    private func send(_ sender: DatagramSender, _ quic: OpaquePointer) throws(QUICError) {
        var budget = Self.datagramsPerRound
        var now = picoquic_current_time()
        while budget > 0, sender.blocked == nil {
            let result = unsafe self.prepare(sender, quic, now)
            switch result {
            case .failed(let code):
                throw QUICError(.systemFailure, "the QUIC library cannot go on (error \(code))")
            case .packets(let count):
                budget -= count
                guard sender.isFull else {
                    continue
                }
                sender.flush()
                now = picoquic_current_time()
                if self.loop.hasWork {
                    self.loop.turn()
                }
            case .nothing:
                // Of this connection; there may be others.
                budget -= 1
            case .done:
                now = picoquic_current_time()
                guard unsafe picoquic_get_next_wake_time(quic, now) <= now else {
                    sender.flush()
                    return
                }
                budget -= 1
            }
        }
        if sender.blocked == nil {
            sender.flush()
        }
        self.hasMore = true
    }

    private enum Preparation {
        case packets(Int)
        case nothing
        case done
        case failed(CInt)
    }

    /// Asks the library for what is due next.
    private func prepare(_ sender: DatagramSender, _ quic: OpaquePointer, _ now: UInt64) -> Preparation {
        var count = 0
        var segment = 0
        var path = DatagramSender.Path()
        let cuts = sender.cutsMessages
        var connection: OpaquePointer?
        let code = unsafe sender.withTail { tail, room in
            unsafe withUnsafeMutablePointer(to: &segment) { segment in
                unsafe picoquic_prepare_next_packet_ex(
                    quic,
                    now,
                    tail,
                    room,
                    &count,
                    &path.to,
                    &path.from,
                    &path.interface,
                    &path.connectionID,
                    &connection,
                    cuts ? segment : nil
                )
            }
        }
        guard code == 0 else {
            return .failed(code)
        }
        guard count > 0 else {
            return unsafe connection == nil ? .done : .nothing
        }
        if unsafe connection == nil {
            self.context.atSockets.packetsAnswered &+= 1
        }
        let family = CInt(path.to.ss_family)
        guard let socket = self.sockets.firstIndex(where: { $0.family == family }) else {
            // There is no socket of this family, and so no way: the connection times out.
            return .nothing
        }
        path.connection = UInt(bitPattern: connection)
        path.socket = socket
        if self.sockets[socket].leavesAddressToKernel || path.from.ss_family != path.to.ss_family {
            path.from.ss_family = sa_family_t(AF_UNSPEC)
        }
        sender.append(count, segment: segment, on: path)
        return .packets(segment > 0 ? (count + segment - 1) / segment : 1)
    }
}

/// The whole of a loop's thread.
///
/// - Thread: a new one. Called once.
/// - Pointers: `context` is the driver, retained until the thread is joined.
@c
private func epollThread(_ context: UnsafeMutableRawPointer?) {
    guard let context = unsafe context else {
        return
    }
    unsafe Unmanaged<EpollDriver>.fromOpaque(context).takeUnretainedValue().run()
}
#endif
