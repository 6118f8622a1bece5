// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CLoopSupport
import CPicoquic
import CPicoquicShims
import Logging
import PacketLoop

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// One context of the QUIC library: the connections of one loop and what they share. (loop)
///
/// Made before the loop's thread starts, used on that thread only, and freed on it when the loop has ended.
///
/// The library keeps one pointer to this object, as the default context of its callbacks. It is retained from
/// ``init(configuration:isServer:loop:accept:)`` until ``free()``, which comes after the last possible callback.
@safe
final class QUICContext {
    let loop: PacketLoop
    let configuration: QUICConfiguration

    /// Which of several endpoints at one port this is; nil when it has its port to itself.
    let member: PortGroup.Member?

    /// Whether windows stay closed until the application raises them.
    let holdsWindows: Bool

    /// How often to show that a connection is alive, for the library; nil: never.
    let keepAliveMicroseconds: UInt64?

    private let log: Logger
    private let acceptor: ((QUICConnection) -> (any QUICConnectionDelegate)?)?
    private var quic: OpaquePointer?
    // Without a check of exclusive access, which each event of each connection would pay for: the methods of the table are
    // short, call nobody, and run on the loop.
    @safe @exclusivity(unchecked) private(set) var connections = ConnectionTable()

    /// What connections that are gone have left in the endpoint's sum.
    private var endedTraffic = QUICStatistics()

    /// The options of congestion control, which the library reads for each new connection.
    private var congestionOptions: CStringBox?

    /// What a driver of ours has counted at its sockets: messages, and packets outside of connections. The rest is
    /// zero.
    var atSockets = QUICEndpointStatistics()

    /// What the system has turned out not to have.
    private var missingFeatures: SystemFeatures = []

    /// Client connections that the library will not touch again and that we have to delete, outside its callbacks.
    private var finishedClients: [OpaquePointer] = unsafe []

    /// Whether connections are being deleted here, so that their last event must not have them deleted again.
    private var isDeleting = false

    /// What connections are closed with since the endpoint is being stopped; nil before.
    private(set) var farewell: (code: UInt64, reason: String)?

    /// Why connections end that are deleted without having been closed; nil as long as the loop has not failed.
    private(set) var failure: String?

    /// Called when the loop has failed, with words for a person.
    var onFailure: (@Sendable (String) -> Void)?

    /// Called when there is something to delete.
    var onFinishedClient: (() -> Void)?

    /// Opens the library's context.
    /// - Throws: what ``QUICConfiguration/validate()`` throws, and errors of the credentials.
    init(
        configuration: QUICConfiguration,
        loop: PacketLoop,
        member: PortGroup.Member? = nil,
        log: Logger = Logger(label: "moq.quic"),
        acceptor: ((QUICConnection) -> (any QUICConnectionDelegate)?)?
    ) throws(QUICError) {
        QUICLibrary.prepare()
        try configuration.validate()
        self.loop = loop
        self.member = member
        self.log = log
        self.configuration = configuration
        self.acceptor = acceptor
        self.holdsWindows = configuration.flowControl == .application
        self.keepAliveMicroseconds = configuration.keepAlive.map { Self.microseconds($0) }
        var seed = configuration.statelessResetSeed
        let quic: OpaquePointer?
        if let credentials = configuration.credentials {
            let files = try CredentialFiles(credentials)
            // The files are open only as long as their owner lives, and the library reads them by name.
            unsafe quic = withExtendedLifetime(files) {
                unsafe Self.create(configuration, certificate: files.certificate, key: files.key, seed: &seed)
            }
        } else {
            unsafe quic = unsafe Self.create(configuration, certificate: nil, key: nil, seed: &seed)
        }
        guard let quic = unsafe quic else {
            throw QUICError(.systemFailure, "the QUIC library cannot create its context")
        }
        unsafe self.quic = unsafe quic
        do throws(QUICError) {
            try unsafe self.configure(quic)
        } catch {
            unsafe picoquic_free(quic)
            unsafe self.quic = nil
            throw error
        }
        unsafe picoquic_set_default_callback(
            quic,
            picoquicConnectionEvent,
            Unmanaged.passRetained(self).toOpaque()
        )
    }

    /// The library's context. Precondition: not freed.
    var raw: OpaquePointer? { unsafe self.quic }

    /// Frees the library's context, when its loop has ended and all connections are deleted. Only the first call counts.
    func free() {
        guard let quic = unsafe self.quic else {
            return
        }
        unsafe self.quic = nil
        unsafe picoquic_free(quic)
        unsafe Unmanaged.passUnretained(self).release()
    }

    // MARK: - Creation

    /// How many microseconds there are at least between two stateless resets. The library's own 100 milliseconds would
    /// leave most clients of a server that comes back to their idle timeouts. A reset is smaller than what it answers, so
    /// that this makes nothing larger and no two endpoints go on for ever.
    private static let resetInterval: UInt64 = 1_000

    private static func create(
        _ configuration: QUICConfiguration,
        certificate: String?,
        key: String?,
        seed: inout [UInt8]?
    ) -> OpaquePointer? {
        func make(_ seed: UnsafeMutablePointer<UInt8>?) -> OpaquePointer? {
            unsafe picoquic_create(
                configuration.maximumConnections,
                certificate,
                key,
                nil,
                nil,
                picoquicConnectionEvent,
                nil,
                nil,
                nil,
                seed,
                picoquic_current_time(),
                nil,
                nil,
                nil,
                0
            )
        }
        guard var bytes = seed else {
            return unsafe make(nil)
        }
        let quic = unsafe bytes.withUnsafeMutableBufferPointer { unsafe make($0.baseAddress) }
        seed = bytes
        return unsafe quic
    }

    private func configure(_ quic: OpaquePointer) throws(QUICError) {
        let configuration = self.configuration
        let (algorithm, options) = CongestionControl.parse(configuration.congestionControl)
        self.congestionOptions = options.flatMap { CStringBox($0) }
        unsafe picoquic_set_default_congestion_algorithm_ex(
            quic,
            picoquic_get_congestion_algorithm(algorithm),
            self.congestionOptions?.pointer
        )
        try unsafe self.installVerifier(quic)
        if let member = self.member {
            unsafe cpq_mark_connection_ids(quic, UInt32(member.index), UInt32(member.group.count))
        }
        unsafe picoquic_set_alpn_select_fn_v2(quic, picoquicSelectProtocol)
        // The limit of the connection's window is set with the transport parameters below. A control value of 1 keeps
        // the library from ever raising it by itself.
        unsafe picoquic_set_max_data_control(quic, self.holdsWindows ? 1 : configuration.connectionReceiveWindow)
        guard let defaults = unsafe picoquic_get_default_tp(quic) else {
            throw QUICError(.systemFailure, "the QUIC library has no transport parameters")
        }
        var parameters = unsafe defaults.pointee
        unsafe parameters.initial_max_stream_data_bidi_local = configuration.streamReceiveWindow
        unsafe parameters.initial_max_stream_data_bidi_remote = configuration.streamReceiveWindow
        unsafe parameters.initial_max_stream_data_uni = configuration.streamReceiveWindow
        unsafe parameters.initial_max_data = configuration.connectionReceiveWindow
        unsafe parameters.initial_max_stream_id_bidir = configuration.maximumIncomingBidirectionalStreams
        unsafe parameters.initial_max_stream_id_unidir = configuration.maximumIncomingUnidirectionalStreams
        unsafe parameters.max_idle_timeout = Self.microseconds(configuration.idleTimeout) / 1_000
        unsafe parameters.max_datagram_frame_size = configuration.maximumDatagramFrameSize
        if !configuration.offersAcknowledgementFrequency {
            // Who does not say it does not take part, and then nor does the peer.
            unsafe parameters.min_ack_delay = 0
        }
        _ = unsafe picoquic_set_default_tp(quic, &parameters)
        unsafe picoquic_set_default_stateless_reset_min_interval(quic, Self.resetInterval)
        unsafe picoquic_set_default_handshake_timeout(quic, Self.microseconds(configuration.handshakeTimeout))
        let cookieMode: CInt =
            switch configuration.retryPolicy {
            case .whenLoaded: 0
            case .always: 1
            case .whenLoadedWithTokens: 2
            }
        unsafe picoquic_set_cookie_mode(quic, cookieMode)
        unsafe picoquic_set_max_half_open_retry_threshold(quic, configuration.halfOpenThreshold)
        try unsafe self.configureResumption(quic)
        if let file = configuration.keyLogFile {
            unsafe picoquic_set_key_log_file(quic, file)
        }
        if let directory = configuration.qlogDirectory {
            guard unsafe picoquic_set_qlog(quic, directory) == 0 else {
                throw QUICError(.fileUnreadable, "cannot use qlog directory '\(directory)'")
            }
            unsafe picoquic_use_unique_log_names(quic, 1)
            unsafe picoquic_set_log_level(quic, 1)
        }
    }

    private func configureResumption(_ quic: OpaquePointer) throws(QUICError) {
        // The key that is set last makes new tickets.
        for key in self.configuration.ticketKeys.reversed() {
            guard unsafe picoquic_set_ticket_key(quic, key, key.count) == 0 else {
                throw QUICError(.systemFailure, "the QUIC library does not take the ticket key")
            }
        }
        if !self.configuration.allowsEarlyData {
            unsafe cpq_refuse_early_data(quic)
        }
        if self.configuration.ticketStore != nil {
            guard unsafe cpq_receive_tickets(quic, picoquicTicketReceived) == 0 else {
                throw QUICError(.systemFailure, "the QUIC library has no memory for tickets")
            }
        }
    }

    private func installVerifier(_ quic: OpaquePointer) throws(QUICError) {
        var digests: [UInt8] = []
        var file: String?
        let mode: CInt
        switch self.configuration.verification {
        case .systemRoots:
            mode = CInt(CPQ_VERIFY_SYSTEM)
        case .authority(let path):
            mode = CInt(CPQ_VERIFY_FILE)
            file = path
            guard unsafe cpq_has_certificates(path) == 1 else {
                throw QUICError(.fileUnreadable, "the CA file '\(path)' does not hold a certificate (PEM)")
            }
        case .pinned(let fingerprints):
            mode = CInt(CPQ_VERIFY_PINNED)
            digests = fingerprints.flatMap(\.bytes)
        case .insecure:
            mode = CInt(CPQ_VERIFY_NOTHING)
        }
        let outcome = unsafe digests.withUnsafeBufferPointer { buffer in
            unsafe cpq_install_verifier(quic, mode, file, buffer.baseAddress, buffer.count / 32)
        }
        guard outcome == 0 else {
            let what = file.map { "the CA file '\($0)'" } ?? "the system's root certificates"
            throw QUICError(.fileUnreadable, "cannot load \(what)")
        }
    }

    static func microseconds(_ duration: Duration) -> UInt64 {
        LoopInstant(microseconds: 0).advanced(by: duration).microseconds
    }

    // MARK: - Connections

    /// The connection that an event of the library is for, made at the first event; nil when it is stale.
    func connection(for cnx: OpaquePointer, callbackContext: UnsafeMutableRawPointer?) -> QUICConnection? {
        if let handle = unsafe ConnectionHandle(callbackContext) {
            return self.connections.find(handle)
        }
        guard unsafe callbackContext == Unmanaged.passUnretained(self).toOpaque() else {
            return nil
        }
        // The library still has the default context for it: a connection that a client has just opened to us.
        return unsafe self.adopt(cnx, role: .server)
    }

    /// Whether a callback context stands for a connection that has ended.
    func knew(_ callbackContext: UnsafeMutableRawPointer?) -> Bool {
        unsafe ConnectionHandle(callbackContext).map { self.connections.knew($0) } ?? false
    }

    private func adopt(_ cnx: OpaquePointer, role: QUICConnection.Role) -> QUICConnection {
        let handle = self.connections.reserve()
        let connection = unsafe QUICConnection(role: role, handle: handle, context: self, cnx: cnx)
        self.connections.fill(handle, with: connection)
        unsafe picoquic_set_callback(cnx, picoquicConnectionEvent, connection.handle.pointer)
        return connection
    }

    /// Says in the log that a client offered no protocol of ours; the library ends its handshake (RFC 9001 section 8.1).
    func noteNoCommonProtocol(_ offers: [UnsafeBufferPointer<UInt8>]) {
        let shown = unsafe offers.prefix(8).map {
            unsafe String(decoding: $0.prefix(32), as: UTF8.self).debugDescription
        }
        var address: UnsafeMutablePointer<sockaddr>?
        if let quic = unsafe self.quic, let cnx = unsafe picoquic_get_cnx_in_progress(quic) {
            unsafe picoquic_get_peer_addr(cnx, &address)
        }
        let peer = unsafe SocketAddress(copying: UnsafePointer(address))?.address
        self.log.info(
            "client refused: it offers no application protocol that is spoken here",
            metadata: [
                "peer": "\(peer?.description ?? "unknown")",
                "offered": "\(shown.joined(separator: " "))",
                "count": "\(unsafe offers.count)",
            ]
        )
    }

    /// Asks the server's owner who is to hear of a new connection.
    func accept(_ connection: QUICConnection) -> (any QUICConnectionDelegate)? {
        self.acceptor?(connection)
    }

    /// Starts to connect to an address.
    /// - Parameters:
    ///   - name: what the server's certificate must name, and what it is told we want.
    ///   - return: the server in the ticket store; nil when nothing is kept.
    ///   - visit: what was kept of it.
    ///   - observer: told once how the handshake went.
    func connect(
        to address: SocketAddress,
        name: String,
        protocols: [String],
        return server: String? = nil,
        visit: QUICTicketStore.Visit = QUICTicketStore.Visit(),
        observer: @escaping (Result<Void, QUICHandshakeFailure>) -> Void
    ) throws(QUICError) -> QUICConnection {
        guard let quic = unsafe self.quic, self.farewell == nil else {
            throw QUICError(.stopped, "the endpoint has stopped")
        }
        if let member = self.member {
            member.group.calls(member)
        }
        let none = picoquic_connection_id_t()
        // With a ticket the library resumes only if it offers the ticket's protocol and no other.
        let only = visit.ticket?.applicationProtocol
        let cnx = unsafe address.withPointer { pointer in
            unsafe picoquic_create_cnx(quic, none, none, pointer, picoquic_current_time(), 0, name, only, 1)
        }
        guard let cnx = unsafe cnx else {
            throw QUICError(.systemFailure, "the QUIC library cannot create a connection")
        }
        let connection = unsafe self.adopt(cnx, role: .client)
        connection.offeredProtocols = protocols.compactMap { CStringBox($0) }
        if let server {
            unsafe self.equip(connection, cnx, quic, server: server, name: name, visit: visit)
        }
        // It may end in the middle of its start. It must not be deleted twice then.
        self.isDeleting = true
        defer { self.isDeleting = false }
        guard unsafe picoquic_start_client_cnx(cnx) == 0, unsafe connection.cnx != nil else {
            unsafe picoquic_delete_cnx(cnx)
            throw QUICError(.systemFailure, "the QUIC library cannot start a connection")
        }
        connection.handshakeObserver = observer
        return connection
    }

    /// Gives a connection that is about to start what was kept of an earlier one.
    private func equip(
        _ connection: QUICConnection,
        _ cnx: OpaquePointer,
        _ quic: OpaquePointer,
        server: String,
        name: String,
        visit: QUICTicketStore.Visit
    ) {
        connection.way = QUICConnection.Return(server: server)
        if let ticket = visit.ticket {
            connection.way?.authenticated = ticket.authenticated
            unsafe connection.way?.offered = unsafe ticket.withC { unsafe cpq_offer_ticket(quic, name, $0) }
        }
        if let token = visit.token {
            _ = unsafe cpq_offer_address_token(cnx, token.bytes, token.bytes.count)
        }
    }

    /// The library is done with a connection. (inside its callback)
    func connectionFinished(_ connection: QUICConnection, _ cnx: OpaquePointer) {
        self.connections.remove(connection.handle)
        self.endedTraffic.add(connection.statistics.totals)
        guard connection.role == .client, !self.isDeleting else {
            // The library deletes a server's connections by itself.
            return
        }
        // One wake-up deletes all that wait; one for each could fill the pipe that this very thread empties.
        let isFirst = unsafe self.finishedClients.isEmpty
        unsafe self.finishedClients.append(cnx)
        if isFirst {
            self.onFinishedClient?()
        }
    }

    /// Deletes client connections that are done. Called outside the library's callbacks, in the one phase of its loop
    /// after which it forgets the connection that it handled last.
    func deleteFinishedClients() {
        while let cnx = unsafe self.finishedClients.popLast() {
            unsafe picoquic_delete_cnx(cnx)
        }
    }

    /// Answers new clients or ignores them. An endpoint without credentials, and one that is being stopped, has none.
    func setAccepting(_ isAccepting: Bool) {
        guard let quic = unsafe self.quic, self.farewell == nil, self.configuration.credentials != nil else {
            return
        }
        unsafe picoquic_enforce_client_only(quic, isAccepting ? 0 : 1)
    }

    /// Closes every connection, and tells those who use one before this returns. From now on nobody new is answered: a
    /// client that got half an answer would wait for the rest of it.
    func closeAll(code: UInt64, reason: String) {
        self.farewell = (code, reason)
        if let quic = unsafe self.quic {
            unsafe picoquic_enforce_client_only(quic, 1)
            // The library may have connections of which no event has come yet.
            var next = unsafe picoquic_get_first_cnx(quic)
            while let cnx = unsafe next {
                _ = unsafe self.connection(for: cnx, callbackContext: picoquic_get_callback_context(cnx))
                unsafe next = unsafe picoquic_get_next_cnx(cnx)
            }
        }
        for connection in self.connections.all {
            connection.closeAndTell(code: code, reason: reason)
        }
    }

    /// The loop has failed: connections that are deleted from now on say why, and the log does.
    func fail(_ reason: String) {
        self.failure = reason
        self.log.error("\(reason)", metadata: ["connections": "\(self.connections.count)"])
        self.onFailure?(reason)
    }

    /// Sends the closes that wait for handshakes to be finished, now that there is no more time for it.
    func sendWaitingCloses() {
        for connection in self.connections.all where connection.isCloseWaitingForReady {
            connection.sendClose()
        }
    }

    /// Whether a connection still has its close to send.
    var hasUnsentCloses: Bool {
        self.connections.all.contains { connection in
            guard let cnx = unsafe connection.cnx else {
                return false
            }
            return unsafe picoquic_get_cnx_state(cnx).rawValue <= picoquic_state_disconnecting.rawValue
        }
    }

    /// Deletes every connection, after which no callback can come and nothing new can be opened. Outside the library's
    /// callbacks.
    func deleteAll() {
        guard let quic = unsafe self.quic else {
            return
        }
        if self.farewell == nil {
            // The loop has failed. Whoever hears of it here and tries another address is told.
            self.farewell = (0, "")
        }
        self.deleteFinishedClients()
        self.isDeleting = true
        defer { self.isDeleting = false }
        while let cnx = unsafe picoquic_get_first_cnx(quic) {
            unsafe picoquic_delete_cnx(cnx)
        }
    }

    // MARK: - Statistics

    /// What there is and has been. Looks at every connection.
    var statistics: QUICEndpointStatistics {
        var statistics = self.atSockets
        statistics.connectionsCreated = self.connections.created
        statistics.connectionsEnded = self.connections.ended
        statistics.connectionsLive = self.connections.count
        statistics.traffic = self.endedTraffic
        for connection in self.connections.all {
            statistics.traffic.add(connection.statistics)
        }
        statistics.loop = self.loop.counters
        return statistics
    }

    // MARK: - What the system lacks

    /// Says in the log what the system does not have, each feature once, and what happens instead.
    func noteMissing(_ features: SystemFeatures, reason: String? = nil) {
        let news = features.subtracting(self.missingFeatures)
        guard !news.isEmpty else {
            return
        }
        self.missingFeatures.formUnion(news)
        for words in SystemFeatures.words where news.contains(words.feature) {
            var metadata: Logger.Metadata = ["loop": "\(self.loop.label)"]
            metadata["reason"] = reason.map { "\($0)" }
            self.log.notice("the system has no \(words.name): \(words.substitute)", metadata: metadata)
        }
    }

    /// Has the loop's thread, which calls this, woken within a microsecond, if the system can.
    func usePreciseTimers() {
        guard self.configuration.usableFeatures.contains(.preciseTimers), cls_use_precise_timers() == 0 else {
            return self.noteMissing(.preciseTimers)
        }
    }

    // MARK: - Words

    /// Says what was wrong with a peer's certificate.
    func certificateComplaint(alert: UInt8) -> String {
        if case .pinned = self.configuration.verification {
            return "the certificate is not the one with the expected fingerprint"
        }
        switch alert {
        case 48:
            return "the certificate's issuer is not trusted"
        case 45:
            return "the certificate has expired or is not valid yet"
        case 44:
            return "the certificate has been revoked"
        case 42:
            return "the certificate is not valid for this host"
        default:
            return "the certificate cannot be verified"
        }
    }
}
