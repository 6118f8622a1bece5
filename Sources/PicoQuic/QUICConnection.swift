// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

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

/// One QUIC connection. (loop)
///
/// Made by the context at the connection's first event, or by connecting. It can be kept after the connection has
/// ended: then it does nothing and its calls throw. Everything is done on the loop.
///
/// ```
///   handshaking ──── connectionIsAlmostReady ───▶ established ──── peer closes ────────────────▶ ended
///        │                                              │                                          ▲
///        └───────────── close() ───────▶ closing ◀──────┘ close()                                  │
///        │                                  └──────────── the library is done with it ─────────────┤
///        └──────────────────────────── fails ──────────────────────────────────────────────────────┘
/// ```
@safe
public final class QUICConnection {
    enum Phase: Hashable {
        case handshaking
        case established
        /// Closed here; the peer is being told, and nobody hears of anything but the end.
        case closing
        /// The delegate knows.
        case ended
    }

    /// Which side of the connection this is.
    public enum Role: Sendable, Hashable {
        /// We connected.
        case client
        /// We were connected to.
        case server
    }

    /// Which side of the connection this is.
    public let role: Role

    /// A number that no other living connection of the context has, for logs.
    public var identifier: UInt64 { UInt64(self.handle.generation) << 32 | UInt64(self.handle.index) }

    /// Who hears what happens. Held until the connection has ended.
    public var delegate: (any QUICConnectionDelegate)?

    let handle: ConnectionHandle
    unowned let context: QUICContext

    /// What ``cnx`` hands out.
    private var living: OpaquePointer?
    var phase: Phase = .handshaking
    var closeCode: UInt64 = 0
    var closeReason: CStringBox?
    /// Whether a close waits for the end of the handshake.
    var isCloseWaitingForReady = false
    var sawVersionNegotiation = false
    var sawStatelessReset = false

    /// The protocols a client offers, kept because the library keeps the pointers.
    var offeredProtocols: [CStringBox] = []

    /// Told once, at the first of: the handshake got far enough, the connection failed.
    var handshakeObserver: ((Result<Void, QUICHandshakeFailure>) -> Void)?

    init(role: Role, handle: ConnectionHandle, context: QUICContext, cnx: OpaquePointer) {
        self.role = role
        self.handle = handle
        self.context = context
        unsafe self.living = unsafe cnx
    }

    /// The library's connection; nil once it may be freed at any time. Every call that reaches the library asks for it,
    /// so this is where a debug build looks whether the caller is on the loop.
    var cnx: OpaquePointer? {
        guard let living = unsafe self.living else {
            return nil
        }
        self.context.loop.assertOnLoop()
        return unsafe living
    }

    /// Forgets the library's connection.
    func detach() {
        unsafe self.living = nil
    }

    /// The library's connection, for calls that need it alive and open.
    private func open() throws(QUICError) -> OpaquePointer {
        guard let cnx = unsafe self.cnx, self.phase == .handshaking || self.phase == .established else {
            throw QUICError(.connectionClosed, "the connection has ended")
        }
        return unsafe cnx
    }

    // MARK: - Facts

    /// Whether the connection can still be used.
    public var isOpen: Bool {
        unsafe self.cnx != nil && (self.phase == .handshaking || self.phase == .established)
    }

    /// The application protocol that was agreed on; nil before.
    public var applicationProtocol: String? {
        guard let cnx = unsafe self.cnx, let name = unsafe picoquic_tls_get_negotiated_alpn(cnx) else {
            return nil
        }
        return unsafe String(validatingCString: name)
    }

    /// The host name that the client asked for; nil when it named none.
    public var serverName: String? {
        guard let cnx = unsafe self.cnx, let name = unsafe picoquic_tls_get_sni(cnx) else {
            return nil
        }
        return unsafe String(validatingCString: name)
    }

    /// Whether a packet of the peer has arrived.
    var hasHeardFromPeer: Bool {
        guard let cnx = unsafe self.cnx else {
            return false
        }
        return unsafe cpq_has_received(cnx) != 0
    }

    /// Our address; nil once the connection has ended.
    public var localAddress: QUICAddress? {
        guard let cnx = unsafe self.cnx else {
            return nil
        }
        var address: UnsafeMutablePointer<sockaddr>?
        unsafe picoquic_get_local_addr(cnx, &address)
        return unsafe SocketAddress(copying: UnsafePointer(address))?.address
    }

    /// The peer's address; nil once the connection has ended.
    public var peerAddress: QUICAddress? {
        guard let cnx = unsafe self.cnx else {
            return nil
        }
        var address: UnsafeMutablePointer<sockaddr>?
        unsafe picoquic_get_peer_addr(cnx, &address)
        return unsafe SocketAddress(copying: UnsafePointer(address))?.address
    }

    /// The largest datagram that the peer takes and the path carries now; 0 when the peer takes none.
    public var maximumDatagramSize: Int {
        guard let cnx = unsafe self.cnx else {
            return 0
        }
        return unsafe cpq_maximum_datagram(cnx)
    }

    /// What is known of the path. All zero once the connection has ended.
    public var statistics: QUICStatistics {
        var statistics = QUICStatistics()
        guard let cnx = unsafe self.cnx else {
            return statistics
        }
        var quality = picoquic_path_quality_t()
        unsafe picoquic_get_default_path_quality(cnx, &quality)
        statistics.smoothedRoundTrip = .microseconds(Int64(clamping: quality.rtt))
        statistics.minimumRoundTrip = .microseconds(Int64(clamping: quality.rtt_min))
        statistics.roundTripVariation = .microseconds(Int64(clamping: quality.rtt_variant))
        statistics.congestionWindow = quality.cwin
        statistics.bytesInFlight = quality.bytes_in_transit
        statistics.pacingRate = quality.pacing_rate
        statistics.receiveRate = quality.receive_rate_estimate
        statistics.packetsSent = quality.sent
        statistics.packetsLost = quality.lost
        statistics.spuriousLosses = quality.spurious_losses
        statistics.bytesSent = quality.bytes_sent
        statistics.bytesReceived = quality.bytes_received
        return statistics
    }

    // MARK: - Streams

    /// How many further streams of a kind the peer allows to be opened now.
    public func streamCredit(isUnidirectional: Bool) -> UInt64 {
        guard let cnx = unsafe self.cnx else {
            return 0
        }
        let limit = unsafe cpq_stream_limit(cnx, isUnidirectional ? 1 : 0)
        let taken = unsafe cpq_streams_taken(cnx, isUnidirectional ? 1 : 0)
        return limit > taken ? limit - taken : 0
    }

    /// Takes the next stream of ours and keeps `token` with it.
    ///
    /// A stream beyond the peer's limit is taken all the same and starts to send when the peer raises the limit; who
    /// does not want that looks at ``streamCredit(isUnidirectional:)`` first.
    /// - Parameter token: comes back with every event of the stream; not 0, or its release is not reported.
    /// - Returns: the stream's number.
    /// - Throws: `connectionClosed`; `streamLimit` when numbers have run out.
    public func openStream(isUnidirectional: Bool, token: UInt64) throws(QUICError) -> UInt64 {
        let cnx = try unsafe self.open()
        let stream = unsafe picoquic_get_next_local_stream_id(cnx, isUnidirectional ? 1 : 0)
        try self.reserve(stream: stream, token: token)
        if self.context.holdsWindows, !isUnidirectional {
            _ = unsafe picoquic_set_app_flow_control(cnx, stream, 1)
        }
        return stream
    }

    /// Keeps `token` with a stream: one that the peer opened, or the next of ours, which this takes.
    /// - Throws: `connectionClosed`, `streamClosed` when there is no such stream.
    public func reserve(stream: UInt64, token: UInt64) throws(QUICError) {
        let cnx = try unsafe self.open()
        let outcome = unsafe picoquic_set_app_stream_ctx(cnx, stream, Self.pointer(token))
        guard outcome == 0 else {
            throw QUICError(.streamClosed, "stream \(stream) cannot be used", wireCode: UInt64(clamping: outcome))
        }
    }

    /// Says that the stream has something to send: the delegate is asked for it when there is room.
    /// - Throws: `streamClosed` when the stream has been finished or reset.
    public func markActive(stream: UInt64) throws(QUICError) {
        let cnx = try unsafe self.open()
        guard unsafe picoquic_mark_active_stream_v2(cnx, stream, 1) == 0 else {
            throw QUICError(.streamClosed, "stream \(stream) can send no more")
        }
    }

    /// Sets the stream's place in the sending order: lower goes first; among equals an odd priority means in the order
    /// of stream numbers, an even one fair shares.
    public func setPriority(_ priority: UInt8, stream: UInt64) throws(QUICError) {
        let cnx = try unsafe self.open()
        guard unsafe picoquic_set_stream_priority(cnx, stream, priority) == 0 else {
            throw QUICError(.streamClosed, "stream \(stream) does not exist")
        }
    }

    /// Gives up sending on the stream (RESET_STREAM). The token stays with the stream until it is released.
    /// - Throws: `streamClosed` when all of it has been delivered already, or it does not exist.
    public func reset(stream: UInt64, code: UInt64, token: UInt64) throws(QUICError) {
        let cnx = try unsafe self.open()
        let outcome = unsafe picoquic_reset_stream(cnx, stream, code)
        // The library drops the context with the reset; without one the release would not be reported.
        _ = unsafe cpq_attach_stream_context(cnx, stream, Self.pointer(token))
        guard outcome == 0 else {
            throw QUICError(.streamClosed, "stream \(stream) cannot be reset")
        }
    }

    /// Asks the peer to send nothing more on the stream (STOP_SENDING). Data that still arrives is not reported.
    /// - Throws: `streamClosed` when the peer has reset it already, or it does not exist.
    public func stopSending(stream: UInt64, code: UInt64, token: UInt64) throws(QUICError) {
        let cnx = try unsafe self.open()
        let outcome = unsafe picoquic_stop_sending(cnx, stream, code)
        _ = unsafe cpq_attach_stream_context(cnx, stream, Self.pointer(token))
        guard outcome == 0 else {
            throw QUICError(.streamClosed, "stream \(stream) cannot be stopped")
        }
    }

    /// Lets the peer send on the stream up to this offset. With ``QUICConfiguration/FlowControl/application`` nobody
    /// else raises the limit.
    /// - Returns: whether the limit is known to the library now. Before the connection is ready it takes no new limits.
    @discardableResult
    public func raiseReceiveLimit(stream: UInt64, to limit: UInt64) -> Bool {
        guard self.isOpen, let cnx = unsafe self.cnx else {
            return false
        }
        return unsafe cpq_raise_stream_window(cnx, stream, limit) == 0
    }

    /// Lets the peer send up to this many bytes over all streams.
    /// - Returns: whether the limit is known to the library now. Before the connection is ready it takes no new limits.
    @discardableResult
    public func raiseReceiveLimit(to limit: UInt64) -> Bool {
        guard self.isOpen, let cnx = unsafe self.cnx else {
            return false
        }
        return unsafe cpq_raise_connection_window(cnx, limit) == 0
    }

    // MARK: - Datagrams

    /// Says that datagrams wait: the delegate is asked for them when there is room.
    /// - Throws: `datagramsUnsupported` when the peer takes none.
    public func markDatagramsReady() throws(QUICError) {
        let cnx = try unsafe self.open()
        guard unsafe picoquic_mark_datagram_ready(cnx, 1) == 0 else {
            _ = unsafe picoquic_mark_datagram_ready(cnx, 0)
            throw QUICError(.datagramsUnsupported, "the peer takes no datagrams")
        }
    }

    // MARK: - Close

    /// The longest reason that is sent; the rest is cut off, so that the close fits a packet.
    private static let longestReason = 500

    /// Closes the connection and tells the peer. Idempotent. The delegate hears nothing more but, later, the end.
    ///
    /// While the handshake is nearly complete the close waits for the rest of it, so that the peer learns code and
    /// reason. Earlier it cannot be told our code (RFC 9000 section 10.2.3): it sees a failed handshake.
    public func close(code: UInt64, reason: String = "") {
        guard self.isOpen, let cnx = unsafe self.cnx else {
            return
        }
        let wasEstablished = self.phase == .established
        self.phase = .closing
        self.closeCode = code
        self.closeReason = CStringBox(Self.cut(reason))
        if wasEstablished, unsafe !Self.canCarryApplicationClose(picoquic_get_cnx_state(cnx)) {
            self.isCloseWaitingForReady = true
        } else {
            self.sendClose()
        }
    }

    /// Hands the close to the library.
    func sendClose() {
        guard let cnx = unsafe self.cnx else {
            return
        }
        self.isCloseWaitingForReady = false
        _ = unsafe picoquic_close_ex(cnx, self.closeCode, self.closeReason?.pointer)
    }

    /// The states in which an application's close reaches the peer as it is. Before them the library makes a failed
    /// handshake of it, or, on a server that has just answered, sends it in place of the answer that the client needs
    /// to read it.
    private static func canCarryApplicationClose(_ state: picoquic_state_enum) -> Bool {
        state == picoquic_state_ready || state == picoquic_state_client_ready_start
    }

    private static func cut(_ reason: String) -> String {
        guard reason.utf8.count > self.longestReason else {
            return reason
        }
        var kept = ""
        var count = 0
        for character in reason {
            count += character.utf8.count
            guard count <= self.longestReason else {
                break
            }
            kept.append(character)
        }
        return kept
    }

    private static func pointer(_ token: UInt64) -> UnsafeMutableRawPointer? {
        unsafe UnsafeMutableRawPointer(bitPattern: UInt(token))
    }
}
