// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import PicoQuic
import WebTransport

/// What the connection reports, as the manager's events.
extension PicoQuicWebTransport: QUICConnectionDelegate {
    /// Nothing: the session was made because of it.
    public func connectionIsAlmostReady(_ connection: QUICConnection) {}

    /// Passes on the limits that could not be passed on before, and that the peer is there.
    public func connectionIsReady(_ connection: QUICConnection) {
        if self.backend.hasUntoldLimits {
            self.backend.hasUntoldLimits = false
            self.manager.repeatReceiveLimits()
        }
        guard self.confirm() else { return }
        self.manager.transportConfirmed()
    }

    /// Gives the bytes to the stream, which is made when they are its first.
    public func connection(
        _ connection: QUICConnection,
        stream: UInt64,
        token: UInt64,
        didReceive bytes: RawSpan,
        isFinished: Bool
    ) {
        guard let token = self.token(token, of: stream) else { return }
        self.manager.received(bytes, isFinished: isFinished, on: token)
    }

    /// Ends the peer's direction.
    public func connection(_ connection: QUICConnection, stream: UInt64, token: UInt64, wasResetWith code: UInt64) {
        self.backend.countUnreported(stream, manager: self.manager)
        guard let token = self.token(token, of: stream) else { return }
        self.manager.streamWasReset(token, code: code)
    }

    /// Ends this side's direction; the manager answers with a reset.
    public func connection(
        _ connection: QUICConnection,
        stream: UInt64,
        token: UInt64,
        peerStoppedSendingWith code: UInt64
    ) {
        guard let token = self.token(token, of: stream) else { return }
        self.manager.peerStoppedSending(token, code: code)
    }

    /// Moves what the stream has queued into the packet.
    public func connection(
        _ connection: QUICConnection,
        stream: UInt64,
        token: UInt64,
        prepareToSend slot: inout QUICStreamSlot
    ) {
        guard token != PicoQuicStreamBackend.spareToken else {
            slot.decline()
            self.backend.spareIsAllowed(StreamID(rawValue: stream))
            self.manager.streamCreditChanged(unidirectional: StreamID(rawValue: stream).isUnidirectional)
            return
        }
        guard let token = StreamToken(rawValue: token) else {
            slot.decline()
            return
        }
        let offer = self.manager.prepareToSend(token, maximum: slot.capacity)
        guard !offer.isEmpty else {
            slot.decline()
            if offer.isStillActive { self.backend.markActiveLater(StreamID(rawValue: stream)) }
            return
        }
        let manager = self.manager
        let isAccepted = unsafe slot.provide(
            count: offer.count,
            isFinished: offer.isFinal,
            isStillActive: offer.isStillActive
        ) { buffer in
            unsafe manager.takeOffered(offer, of: token, into: buffer)
        }
        if !isAccepted {
            manager.offerRefused(token)
        } else if offer.count == 0 {
            unsafe manager.takeOffered(offer, of: token, into: UnsafeMutableRawBufferPointer(start: nil, count: 0))
        }
    }

    /// Moves the datagram that is next into the packet, if it fits.
    public func connection(_ connection: QUICConnection, prepareDatagram slot: inout QUICDatagramSlot) {
        let manager = self.manager
        switch manager.prepareDatagram(maximum: slot.capacity) {
        case .nothing:
            slot.decline(hasMore: false)
        case .doesNotFit:
            slot.decline(hasMore: true)
        case .ready(let count, let isLast):
            let isAccepted = unsafe slot.provide(count: count, hasMore: !isLast) { buffer in
                unsafe manager.takeDatagram(into: buffer)
            }
            if !isAccepted { self.backend.markDatagramsReadyLater() }
        }
    }

    /// Gives the datagram to the handler.
    public func connection(_ connection: QUICConnection, didReceiveDatagram bytes: RawSpan) {
        self.manager.receivedDatagram(bytes)
    }

    /// Completes this side's direction: the library releases a stream when all of it is acknowledged.
    public func connection(_ connection: QUICConnection, stream: UInt64, wasReleasedWithToken token: UInt64) {
        self.backend.countUnreportedIfStopped(stream, manager: self.manager)
        guard let token = StreamToken(rawValue: token) else { return }
        self.manager.streamDelivered(token)
    }

    /// Ends the session.
    public func connection(_ connection: QUICConnection, didClose info: QUICCloseInfo) {
        self.backend.detach()
        self.manager.transportClosed(WebTransportCloseInfo(info))
    }

    /// The token of a stream. A stream of the peer gets one at its first event; nil when it is refused.
    private func token(_ value: UInt64, of stream: UInt64) -> StreamToken? {
        if let token = StreamToken(rawValue: value) { return token }
        let id = StreamID(rawValue: stream)
        guard let token = self.manager.acceptStream(id) else {
            if !id.isInitiated(by: self.role) { self.backend.refuse(id) }
            return nil
        }
        self.backend.attach(token, to: id)
        return token
    }
}
