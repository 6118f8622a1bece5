// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CPicoquic
import CPicoquicShims
import PacketLoop

extension QUICConnection {
    private static let handled: CInt = 0

    /// Handles one event of the library. (loop, inside the library's callback)
    /// - Returns: 0; anything else would make the library close the connection.
    func handle(
        _ event: picoquic_call_back_event_t,
        cnx: OpaquePointer,
        stream: UInt64,
        bytes: UnsafeMutablePointer<UInt8>?,
        count: Int,
        streamContext: UnsafeMutableRawPointer?
    ) -> CInt {
        switch event {
        case picoquic_callback_close:
            unsafe self.finish(cnx)
            return Self.handled
        case picoquic_callback_application_close:
            unsafe self.closedByPeer(cnx)
            return Self.handled
        case picoquic_callback_stateless_reset:
            self.sawStatelessReset = true
            return Self.handled
        case picoquic_callback_request_alpn_list:
            return unsafe self.proposeProtocols(bytes)
        case picoquic_callback_version_negotiation:
            self.sawVersionNegotiation = true
            return Self.handled
        case picoquic_callback_ready where self.isCloseWaitingForReady:
            self.sendClose()
            return Self.handled
        default:
            break
        }
        // What follows is for connections that are in use.
        guard self.phase == .handshaking || self.phase == .established else {
            return Self.handled
        }
        let token = UInt64(UInt(bitPattern: streamContext))
        if !self.waitingStops.isEmpty, unsafe self.handleWaitingStop(event, cnx: cnx, stream: stream, token: token) {
            return Self.handled
        }
        switch event {
        case picoquic_callback_almost_ready:
            unsafe cpq_expect_stateless_reset(cnx)
            self.establish()
        case picoquic_callback_ready:
            self.establish()
            unsafe self.becomeReady(cnx)
        case picoquic_callback_stream_data, picoquic_callback_stream_fin:
            self.establish()
            if token == 0, self.context.holdsWindows {
                _ = unsafe picoquic_set_app_flow_control(cnx, stream, 1)
            }
            unsafe self.listener?.connection(
                self,
                stream: stream,
                token: token,
                didReceive: RawSpan(_unsafeBytes: Self.buffer(bytes, count)),
                isFinished: event == picoquic_callback_stream_fin
            )
        case picoquic_callback_stream_reset:
            self.establish()
            let code = unsafe picoquic_get_remote_stream_error(cnx, stream)
            self.listener?.connection(self, stream: stream, token: token, wasResetWith: code)
        case picoquic_callback_stop_sending:
            let code = unsafe picoquic_get_remote_stop_sending_error(cnx, stream)
            self.listener?.connection(self, stream: stream, token: token, peerStoppedSendingWith: code)
        case picoquic_callback_prepare_to_send:
            unsafe self.prepareToSend(stream: stream, token: token, context: bytes, capacity: count)
        case picoquic_callback_prepare_datagram:
            unsafe self.prepareDatagram(context: bytes, capacity: count)
        case picoquic_callback_datagram:
            self.establish()
            unsafe self.listener?.connection(
                self,
                didReceiveDatagram: RawSpan(_unsafeBytes: Self.buffer(bytes, count))
            )
        case picoquic_callback_stream_released:
            self.listener?.connection(self, stream: stream, wasReleasedWithToken: token)
        default:
            // Events that are not asked for, and those that later versions of the library may add.
            break
        }
        return Self.handled
    }

    /// Sends a STOP_SENDING as soon as the peer may know the stream that it is for.
    /// - Returns: whether nobody is to hear of the event: it is data on a stream that is to have none.
    private func handleWaitingStop(
        _ event: picoquic_call_back_event_t,
        cnx: OpaquePointer,
        stream: UInt64,
        token: UInt64
    ) -> Bool {
        switch event {
        case picoquic_callback_prepare_to_send:
            _ = unsafe self.sendWaitingStop(of: stream, token: token, cnx)
            return false
        case picoquic_callback_stream_data, picoquic_callback_stream_fin:
            return unsafe self.sendWaitingStop(of: stream, token: token, cnx)
        case picoquic_callback_stream_reset, picoquic_callback_stream_released:
            self.waitingStops[stream] = nil
            return false
        default:
            return false
        }
    }

    /// The bytes of an event.
    private static func buffer(_ bytes: UnsafeMutablePointer<UInt8>?, _ count: Int) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: bytes, count: bytes == nil ? 0 : count)
    }

    // MARK: - Handshake

    /// The first event that proves that the application protocol is known.
    private func establish() {
        guard self.phase == .handshaking else {
            return
        }
        self.phase = .established
        self.settleEarlyData()
        if let farewell = self.context.farewell {
            self.close(code: farewell.code, reason: farewell.reason)
            return
        }
        if self.role == .server {
            self.listener = self.context.accept(self)
        }
        let observer = self.handshakeObserver
        self.handshakeObserver = nil
        observer?(.success(()))
        guard self.phase == .established else {
            return
        }
        if self.listener == nil {
            self.close(code: 0, reason: "not wanted")
            return
        }
        self.listener?.connectionIsAlmostReady(self)
    }

    private func becomeReady(_ cnx: OpaquePointer) {
        guard self.phase == .established else {
            return
        }
        self.isHandshakeComplete = true
        if let interval = self.context.keepAliveMicroseconds {
            unsafe picoquic_enable_keep_alive(cnx, interval)
        }
        self.listener?.connectionIsReady(self)
    }

    /// Lists a client's protocols. `tls` is the library's opaque handshake context, not bytes.
    private func proposeProtocols(_ tls: UnsafeMutablePointer<UInt8>?) -> CInt {
        for name in self.offeredProtocols {
            _ = unsafe picoquic_add_proposed_alpn(tls, name.pointer)
        }
        return Self.handled
    }

    // MARK: - Sending

    private func prepareToSend(
        stream: UInt64,
        token: UInt64,
        context: UnsafeMutablePointer<UInt8>?,
        capacity: Int
    ) {
        guard let context = unsafe context else {
            return
        }
        var slot = unsafe QUICStreamSlot(context: UnsafeMutableRawPointer(context), capacity: capacity)
        self.listener?.connection(self, stream: stream, token: token, prepareToSend: &slot)
        slot.decline()
        if !slot.isUsed { self.lookAgainLater() }
    }

    /// Has the library look once more for something to send. When it was offered nothing, it computes when to wake from what
    /// it saw before it asked: what the delegate did instead (a reset, a stop, a close, another stream) would wait for the
    /// next packet of the peer, and so would what comes after the stream or the datagrams in the order of priorities.
    private func lookAgainLater() {
        _ = self.context.loop.schedule(at: self.context.loop.now) { [weak self] in
            if let cnx = unsafe self?.cnx { unsafe cpq_look_again(cnx) }
        }
    }

    private func prepareDatagram(context: UnsafeMutablePointer<UInt8>?, capacity: Int) {
        guard let context = unsafe context else {
            return
        }
        var slot = unsafe QUICDatagramSlot(context: UnsafeMutableRawPointer(context), capacity: capacity)
        self.listener?.connection(self, prepareDatagram: &slot)
        slot.decline(hasMore: false)
        if slot.isGivenUp { self.lookAgainLater() }
    }

    // MARK: - The end

    /// Closes the connection because its endpoint stops, and tells the delegate before this returns. (outside the
    /// library's callbacks)
    ///
    /// The delegate did not ask for it: until the library is done with the connection its calls would fail, and it would
    /// not know why. Whoever waits for a handshake is told when the library is done.
    func closeAndTell(code: UInt64, reason: String) {
        let isInUse = self.isOpen && self.handshakeObserver == nil
        self.close(code: code, reason: reason)
        if isInUse, let cnx = unsafe self.cnx { unsafe self.end(with: self.closeInfo(cnx), cnx) }
    }

    /// The peer's application closed the connection. The library still needs it for a while; nobody else does.
    private func closedByPeer(_ cnx: OpaquePointer) {
        guard self.phase == .handshaking || self.phase == .established else {
            return
        }
        let info = unsafe QUICCloseInfo(
            kind: .peer,
            code: picoquic_get_application_error(cnx),
            reason: Self.remoteReason(cnx),
            wasEstablished: self.phase == .established
        )
        unsafe self.end(with: info, cnx)
    }

    /// The library is done with the connection.
    private func finish(_ cnx: OpaquePointer) {
        unsafe self.leaveForReturn(cnx)
        if self.phase != .ended {
            unsafe self.end(with: self.closeInfo(cnx), cnx)
        }
        self.detach()
        unsafe self.context.connectionFinished(self, cnx)
    }

    /// Tells the delegate, once.
    private func end(with info: QUICCloseInfo, _ cnx: OpaquePointer) {
        let wasHandshaking = self.phase == .handshaking
        self.phase = .ended
        self.closeInfo = info
        let delegate = self.listener
        self.listener = nil
        let observer = self.handshakeObserver
        self.handshakeObserver = nil
        if wasHandshaking || observer != nil {
            // The library counts a packet after it has handled it, so the one that ended it all may be missing.
            let answered = unsafe info.kind.isAnswer || cpq_has_received(cnx) != 0
            observer?(.failure(QUICHandshakeFailure(info: info, peerAnswered: answered)))
        }
        delegate?.connection(self, didClose: info)
    }

    private static func remoteReason(_ cnx: OpaquePointer) -> String {
        guard let reason = unsafe cpq_remote_reason(cnx) else {
            return ""
        }
        return unsafe String(cString: reason)
    }

    /// What ended the connection, from what the library noted.
    private func closeInfo(_ cnx: OpaquePointer) -> QUICCloseInfo {
        let wasEstablished = self.phase == .established
        if self.phase == .closing {
            let reason = self.closeReason.map { unsafe String(cString: $0.pointer) }
            return QUICCloseInfo(kind: .local, code: self.closeCode, reason: reason ?? "")
        }
        let local = unsafe picoquic_get_local_error(cnx)
        let remote = unsafe picoquic_get_remote_error(cnx)
        var info = QUICCloseInfo(kind: .aborted, wasEstablished: wasEstablished)
        if self.sawStatelessReset || remote == UInt64(PICOQUIC_ERROR_STATELESS_RESET) {
            info.kind = .statelessReset
        } else if local == UInt64(PICOQUIC_ERROR_IDLE_TIMEOUT) || local == UInt64(PICOQUIC_ERROR_HANDSHAKE_TIMEOUT) {
            info.kind = wasEstablished ? .idleTimeout : .handshakeTimeout
        } else if self.sawVersionNegotiation, !wasEstablished {
            info.kind = .versionMismatch
        } else if remote != 0 {
            info.code = remote
            info.reason = unsafe Self.remoteReason(cnx)
            info.kind = Self.kind(of: remote) ?? .peerTransport
        } else if local != 0 {
            info.code = local
            info.kind = Self.kind(of: local) ?? .localTransport
            if info.kind == .certificate {
                info.reason = self.context.certificateComplaint(alert: UInt8(truncatingIfNeeded: local))
            }
        } else {
            info.reason = self.context.failure ?? ""
        }
        return info
    }

    /// What a transport error code says by itself, whoever found it (RFC 9001 section 4.8 for TLS alerts).
    private static func kind(of code: UInt64) -> QUICCloseInfo.Kind? {
        let noApplicationProtocol: UInt64 = 0x178
        switch code {
        case noApplicationProtocol:
            return .noCommonProtocol
        case UInt64(PICOQUIC_TRANSPORT_SERVER_BUSY):
            return .refused
        case 0x12a...0x131, 0x174:
            return .certificate
        case 0x100...0x1ff, UInt64(PICOQUIC_TLS_HANDSHAKE_FAILED):
            return .tls
        default:
            return nil
        }
    }
}
