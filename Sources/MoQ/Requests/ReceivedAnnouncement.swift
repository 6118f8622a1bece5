// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQProtocol
import MoQWire

/// A PUBLISH_NAMESPACE of the peer, for as long as it stands. Loop only.
final class ReceivedAnnouncement: SessionRequest {
    let link: RequestLink
    let request: PublishNamespace
    var onWithdrawn: (() -> Void)?
    private var machine = AnnouncementMachine()

    var acceptedLink: RequestLink? {
        self.machine.state == .established ? self.link : nil
    }

    init(link: RequestLink, request: PublishNamespace) {
        self.link = link
        self.request = request
    }

    var isPending: Bool {
        self.machine.state == .pending
    }

    func accept() {
        guard self.machine.answer(accepting: true) else {
            return
        }
        self.link.send(.requestOk(RequestOk(requestID: self.link.id, answers: .publishNamespace)))
    }

    func reject(_ code: RequestErrorCode, reason: String, redirect: Redirect? = nil) {
        guard self.machine.answer(accepting: false) else {
            return
        }
        self.onWithdrawn = nil
        self.link.refuse(code, reason: reason, redirect: redirect)
    }

    func cancel(_ code: RequestErrorCode, reason: String) {
        guard self.machine.ended() != .ended else {
            return
        }
        self.onWithdrawn = nil
        self.link.cancel(requestCode: code, reason: reason)
    }

    /// Lets the announcement go without a word: this side does not want to hear of it any more.
    func forget() {
        guard self.machine.ended() != .ended else {
            return
        }
        self.onWithdrawn = nil
        self.link.retire()
    }

    func receive(_ message: MoQMessage) throws(ProtocolViolation) {
        switch message {
        case .requestUpdate(let update):
            self.receive(update)
        case .publishNamespaceDone:
            self.link.retire()
            self.withdrawn()
        default:
            throw .protocolViolation("message that does not belong to a PUBLISH_NAMESPACE")
        }
    }

    private func receive(_ update: RequestUpdate) {
        let namespace = self.request.namespace
        let refusal = self.link.session.refusal(of: update, changing: .publishNamespace, namespace: namespace)
        guard let refusal else {
            self.link.acceptUpdate(update.requestID)
            return
        }
        guard !self.isPending else {
            // An answer to the update would pass for the answer to the request.
            self.link.session.peerRequestEnded()
            let onWithdrawn = self.onWithdrawn
            self.reject(refusal.code, reason: refusal.reason)
            onWithdrawn?()
            return
        }
        self.link.refuseUpdate(update.requestID, refusal.code, reason: refusal.reason)
        // A failed update ends the announcement (draft-18 §10.9.1).
        if self.link.stream.isRequestStream {
            self.link.finish()
            self.link.retire()
        } else {
            self.link.cancel(requestCode: refusal.code, reason: refusal.reason)
        }
        self.withdrawn()
    }

    func peerFinished() {
        // An announcement is withdrawn by the abrupt end of its stream; a FIN only says that no updates will come
        // (draft-18 §6.2 and §3.4.2).
    }

    func peerCancelled() {
        self.link.retire()
        self.withdrawn()
    }

    func sessionClosed(_ closure: MoQSessionClosure) {
        self.link.retire()
        self.withdrawn()
    }

    private func withdrawn() {
        guard self.machine.ended() != .ended else {
            return
        }
        let onWithdrawn = self.onWithdrawn
        self.onWithdrawn = nil
        onWithdrawn?()
    }
}
