// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CPicoquic
import CPicoquicShims
import PacketLoop

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
        /// The delegate knows. The peer may still have to be told.
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
    public var delegate: (any QUICConnectionDelegate)? {
        get { self.listener }
        set { self.listener = newValue }
    }

    /// The delegate. Not public, because then each event would check that no other module is changing it.
    var listener: (any QUICConnectionDelegate)?

    let handle: ConnectionHandle
    unowned let context: QUICContext

    /// What ``cnx`` hands out.
    private var living: OpaquePointer?
    var phase: Phase = .handshaking
    var closeCode: UInt64 = 0
    var closeReason: CStringBox?

    /// How the connection ended; nil before its delegate was told.
    public internal(set) var closeInfo: QUICCloseInfo?

    /// The addresses that the connection had when the library let go of it.
    private(set) var lastAddresses: (local: SocketAddress?, peer: SocketAddress?) = (nil, nil)

    /// Whether a close waits for the end of the handshake.
    var isCloseWaitingForReady = false
    var sawVersionNegotiation = false
    var sawStatelessReset = false

    /// Streams of ours that the peer cannot know yet and is to send nothing on, and the codes to tell it so with.
    var waitingStops: [UInt64: UInt64] = [:]

    /// A client's means to come back; nil when it keeps no tickets.
    var way: Return?
    /// Whether the handshake is complete on both sides.
    public internal(set) var isHandshakeComplete = false

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

    /// What ``statistics`` said when the library let go of the connection.
    private var lastStatistics = QUICStatistics()

    /// Forgets the library's connection, and keeps what is asked for afterwards.
    func detach() {
        self.lastAddresses = self.currentAddresses
        self.lastStatistics = self.statistics
        unsafe self.living = nil
    }

    /// The library's connection, for calls that need it alive and open. `purpose` goes into the error.
    func open(to purpose: @autoclosure () -> String) throws(QUICError) -> OpaquePointer {
        guard let cnx = unsafe self.cnx, self.phase == .handshaking || self.phase == .established else {
            throw QUICError(.connectionClosed, "cannot \(purpose()): \(self.whyNotOpen)")
        }
        return unsafe cnx
    }

    /// What a call is told that comes after the end.
    private var whyNotOpen: String {
        if let info = self.closeInfo {
            return "the connection has ended (\(info))"
        }
        return "the connection was closed here with code 0x\(String(self.closeCode, radix: 16))"
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

    /// The largest datagram that the peer takes and the path carries now; 0 when the peer takes none.
    public var maximumDatagramSize: Int {
        guard let cnx = unsafe self.cnx else {
            return 0
        }
        return unsafe cpq_maximum_datagram(cnx)
    }

    /// What is known of the path, and once the connection has ended what was known last.
    public var statistics: QUICStatistics {
        guard let cnx = unsafe self.cnx else {
            return self.lastStatistics
        }
        var statistics = QUICStatistics()
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
        statistics.packetsReceived = unsafe cpq_packets_received(cnx)
        statistics.packetsLost = quality.lost
        statistics.spuriousLosses = quality.spurious_losses
        statistics.bytesSent = quality.bytes_sent
        statistics.bytesReceived = quality.bytes_received
        return statistics
    }

    // MARK: - Datagrams

    /// Says that datagrams wait: the delegate is asked for them when there is room.
    /// - Throws: `datagramsUnsupported` when the peer takes none.
    public func markDatagramsReady() throws(QUICError) {
        let cnx = try unsafe self.open(to: "send a datagram")
        guard unsafe picoquic_mark_datagram_ready(cnx, 1) == 0 else {
            _ = unsafe picoquic_mark_datagram_ready(cnx, 0)
            throw QUICError(.datagramsUnsupported, "the peer takes no datagrams")
        }
    }

    // MARK: - Close

    /// The longest reason that is sent; the rest is cut off, so that the close fits a packet.
    private static let longestReason = 500

    /// The largest code that fits a frame (RFC 9000 section 16).
    static let largestCode: UInt64 = (1 << 62) - 1

    /// Closes the connection and tells the peer. Idempotent. The delegate hears nothing more but, later, the end. (When the
    /// endpoint stops, its delegates are told at once.)
    ///
    /// While the handshake is nearly complete the close waits for the rest of it, so that the peer learns code and
    /// reason. Earlier it cannot be told our code (RFC 9000 section 10.2.3): it sees a failed handshake.
    /// - Parameter code: the application's code. What does not fit 62 bits is sent as the largest code that does.
    public func close(code: UInt64, reason: String = "") {
        guard self.isOpen, let cnx = unsafe self.cnx else {
            return
        }
        let wasEstablished = self.phase == .established
        self.phase = .closing
        self.closeCode = min(code, Self.largestCode)
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
}
