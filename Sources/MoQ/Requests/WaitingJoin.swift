// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQProtocol
import MoQWire
import PacketLoop

/// A joining FETCH of the peer whose subscription is not established (draft-18 §10.12.2), or has not arrived. Loop only.
final class WaitingJoin: SessionRequest {
    let link: RequestLink
    let request: Fetch
    /// Updates that came meanwhile; an answer to them would pass for the answer to the request.
    private(set) var heldUpdates: [RequestUpdate] = []
    private(set) var isPending = true
    private var timer: LoopTimer?

    init(link: RequestLink, request: Fetch) {
        self.link = link
        self.request = request
    }

    /// The subscription has not arrived: waits for it for so long.
    func wait(for duration: Duration) {
        self.timer = self.link.session.loop.schedule(after: duration) { [weak self] in
            self?.refuse(.invalidJoiningRequestID, reason: "there is no such subscription")
        }
    }

    /// The subscription arrived.
    func stopWaiting() {
        self.timer?.cancel()
        self.timer = nil
    }

    /// Takes the request out of the wait, to be answered otherwise. Returns whether it is still wanted.
    func take() -> Bool {
        guard self.isPending else {
            return false
        }
        self.isPending = false
        self.stopWaiting()
        return true
    }

    func refuse(_ code: RequestErrorCode, reason: String) {
        guard self.take() else {
            return
        }
        self.dropHeldUpdates()
        self.link.refuse(code, reason: reason)
    }

    func receive(_ message: MoQMessage) throws(ProtocolViolation) {
        switch message {
        case .requestUpdate(let update):
            guard self.heldUpdates.count < TrackPublisher.maximumHeldUpdates else {
                throw ProtocolViolation(.internalError, "too many updates of a request that is not answered")
            }
            self.heldUpdates.append(update)
        case .fetchCancel:
            self.peerCancelled()
        default:
            throw .protocolViolation("message that does not belong to a FETCH")
        }
    }

    func peerFinished() {}

    func peerCancelled() {
        guard self.take() else {
            return
        }
        self.dropHeldUpdates()
        self.link.cancel()
    }

    func sessionClosed(_ closure: MoQSessionClosure) {
        self.peerCancelled()
    }

    private func dropHeldUpdates() {
        for _ in self.heldUpdates {
            self.link.session.peerRequestEnded()
        }
        self.heldUpdates = []
    }
}
