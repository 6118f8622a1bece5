// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CLoopSupport
import CPicoquic
import CPicoquicShims
import PacketLoop

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Runs a loop and a context on the library's network thread, and knows how that thread begins and ends.
///
/// The library keeps one pointer to this object, retained from ``start()`` until ``join()``.
@safe
final class NetworkDriver: EndpointDriver, @unchecked Sendable {
    // Unchecked because `context` and the plain variables are confined: to the starting thread until the network thread
    // exists, then to that thread, and after it has ended to the one that joins it. What is shared is in `life`.

    /// The longest sleep, in microseconds. Only a safety net: whoever has work for the loop wakes it.
    private static let longestWait: Int64 = 200_000

    let loop: PacketLoop
    let context: QUICContext
    private let life = DriverLife()
    private let parameters: UnsafeMutablePointer<picoquic_packet_loop_param_t>
    private let name: CStringBox?
    private var thread: OpaquePointer?

    // Confined to the network thread.
    private var hasBegun = false
    private var hasFinished = false
    private var shouldEnd = false
    private var sparePackets = SparePackets()

    init(loop: PacketLoop, context: QUICContext, parameters: picoquic_packet_loop_param_t) {
        self.loop = loop
        self.context = context
        self.name = CStringBox(String(loop.label.prefix(15)))
        unsafe self.parameters = .allocate(capacity: 1)
        unsafe self.parameters.initialize(to: parameters)
    }

    deinit {
        unsafe self.parameters.deallocate()
    }

    // MARK: - From outside

    func start() async throws(QUICError) -> UInt16 {
        try await self.life.start {
            guard let raw = unsafe self.context.raw else {
                self.failStart("the QUIC library has no context")
                return
            }
            let pointer = unsafe Unmanaged.passRetained(self).toOpaque()
            let thread = unsafe cpq_start_network_thread(
                raw,
                self.parameters,
                self.name?.pointer,
                packetLoopEvent,
                pointer,
                networkThreadEnded
            )
            guard let thread = unsafe thread else {
                unsafe Unmanaged<NetworkDriver>.fromOpaque(pointer).release()
                self.failStart("the network thread cannot be started")
                return
            }
            unsafe self.didStart(thread)
        }
    }

    private func didStart(_ thread: OpaquePointer) {
        unsafe self.thread = unsafe thread
        let bits = UInt(bitPattern: thread)
        self.loop.attach {
            if let thread = unsafe OpaquePointer(bitPattern: bits) {
                unsafe cpq_wake_network_thread(thread)
            }
        }
        // Work that came before there was a way to wake the loop.
        unsafe cpq_wake_network_thread(thread)
    }

    private func failStart(_ message: String) {
        self.life.settleStart(.failure(QUICError(.systemFailure, message)))
        self.loop.begin()
        self.loop.end()
        self.life.didEnd()
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
            unsafe cpq_join_network_thread(thread)
            unsafe Unmanaged.passUnretained(self).release()
        }
        // Has been freed by its thread, unless there never was one.
        self.context.free()
    }

    // MARK: - On the network thread

    /// Handles one phase of the library's loop.
    func handle(_ phase: picoquic_packet_loop_cb_enum, _ argument: UnsafeMutableRawPointer?) -> CInt {
        switch phase {
        case picoquic_packet_loop_ready:
            self.begin()
            unsafe argument?.assumingMemoryBound(to: picoquic_packet_loop_options_t.self).pointee.do_time_check = 1
        case picoquic_packet_loop_port_update:
            unsafe self.didBind(argument)
        case picoquic_packet_loop_time_check:
            unsafe self.limitWait(argument)
        case picoquic_packet_loop_after_receive:
            // Once per packet. The batch ends with the sending phase, or with a wake when another thread has posted.
            self.loop.turnWithinBatch()
        case picoquic_packet_loop_wake_up:
            self.loop.turn()
            self.context.deleteFinishedClients()
        case picoquic_packet_loop_after_send:
            self.loop.turn()
            if self.shouldEnd {
                self.finish()
                return CInt(PICOQUIC_NO_ERROR_TERMINATE_PACKET_LOOP)
            }
        default:
            break
        }
        return 0
    }

    private func begin() {
        self.hasBegun = true
        self.context.usePreciseTimers()
        self.loop.begin()
        self.context.onFinishedClient = { [unowned self] in
            // Deleting needs the wake-up phase, and the loop is awake: ask for one more round.
            if let thread = unsafe self.thread {
                unsafe cpq_wake_network_thread(thread)
            }
        }
    }

    /// The sockets are bound. The library gives the port in host order, in a field meant for network order.
    private func didBind(_ argument: UnsafeMutableRawPointer?) {
        guard let argument = unsafe argument else {
            return
        }
        let family = CInt(unsafe argument.assumingMemoryBound(to: sockaddr.self).pointee.sa_family)
        let port =
            family == AF_INET6
            ? unsafe argument.assumingMemoryBound(to: sockaddr_in6.self).pointee.sin6_port
            : unsafe argument.assumingMemoryBound(to: sockaddr_in.self).pointee.sin_port
        self.life.settleStart(.success(port))
    }

    private func limitWait(_ argument: UnsafeMutableRawPointer?) {
        guard let check = unsafe argument?.assumingMemoryBound(to: packet_loop_time_check_arg_t.self) else {
            return
        }
        if let quic = unsafe self.context.raw {
            unsafe self.sparePackets.trim(quic, at: check.pointee.current_time)
        }
        let now = unsafe LoopInstant(microseconds: check.pointee.current_time)
        unsafe check.pointee.delta_t = Self.wait(of: self.loop, from: now, atMost: check.pointee.delta_t)
    }

    /// How many microseconds the library's loop may sleep: until its own next event, until the loop has something to do,
    /// and never longer than the longest sleep. (loop)
    ///
    /// The library's poll counts in milliseconds, rounded to the nearest: below half of one it returns at once and is
    /// asked again, which makes short waits exact at the cost of turns.
    static func wait(of loop: PacketLoop, from now: LoopInstant, atMost library: Int64) -> Int64 {
        let wait = min(library, self.longestWait)
        guard let ours = loop.timeUntilNextTurn(from: now) else {
            return wait
        }
        return min(wait, Int64(clamping: ours))
    }

    /// Deletes what is left, while the thread still is the loop's thread, and ends the loop.
    private func finish() {
        guard !self.hasFinished else {
            return
        }
        self.hasFinished = true
        self.life.beginEnd()
        self.loop.detach()
        self.context.onFinishedClient = nil
        self.context.deleteAll()
        self.loop.end()
    }

    /// The thread is about to end, as asked or because the library's loop failed. In the latter case all connections hear
    /// of it here, and whoever waits for the end of the loop waits no longer.
    func threadEnded(_ code: CInt) {
        if !self.hasBegun {
            self.loop.begin()
        } else if !self.hasFinished {
            self.context.fail("the network thread has failed (error \(code))")
        }
        self.finish()
        self.context.free()
        self.life.settleStart(
            .failure(QUICError(.systemFailure, "the network sockets cannot be opened (error \(code))"))
        )
        self.life.didEnd()
    }
}

/// A phase of the library's packet loop.
///
/// - Thread: the network thread, outside the callbacks of connections.
/// - Pointers: `context` is the driver, retained until the thread is joined; `argument` is valid during the call.
/// - Returns: 0, or the request to end the loop.
@c
private func packetLoopEvent(
    _ quic: OpaquePointer?,
    _ phase: picoquic_packet_loop_cb_enum,
    _ context: UnsafeMutableRawPointer?,
    _ argument: UnsafeMutableRawPointer?
) -> CInt {
    guard let context = unsafe context else {
        return CInt(PICOQUIC_NO_ERROR_TERMINATE_PACKET_LOOP)
    }
    let driver = unsafe Unmanaged<NetworkDriver>.fromOpaque(context).takeUnretainedValue()
    return unsafe driver.handle(phase, argument)
}

/// The network thread ends.
///
/// - Thread: the network thread, after the library's loop has closed its sockets. Called once.
/// - Pointers: `context` is the driver, retained until the thread is joined.
@c
private func networkThreadEnded(_ context: UnsafeMutableRawPointer?, _ code: CInt) {
    guard let context = unsafe context else {
        return
    }
    unsafe Unmanaged<NetworkDriver>.fromOpaque(context).takeUnretainedValue().threadEnded(code)
}
