// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQProtocol
import MoQWire

/// A TRACK_STATUS of the peer that is not answered. Loop only.
final class ReceivedTrackStatus: SessionRequest {
    let link: RequestLink
    let request: TrackStatus
    var onCancelled: (() -> Void)?
    private(set) var isPending = true

    init(link: RequestLink, request: TrackStatus) {
        self.link = link
        self.request = request
    }

    func accept(largest: Location?, properties: PropertyList) {
        guard self.settle() else {
            return
        }
        self.onCancelled = nil
        let profile = self.link.session.profile
        let hasProperties = profile.requestOkAnswersPublish || profile.messageForm == .fields
        let ok = RequestOk(
            requestID: self.link.id,
            answers: .trackStatus,
            largestObject: largest,
            properties: hasProperties ? properties : PropertyList()
        )
        guard self.link.send(.requestOk(ok)) else {
            self.link.refuse(.internalError, reason: "the answer cannot be expressed")
            return
        }
        self.link.finish()
        self.link.retire()
    }

    func reject(_ code: RequestErrorCode, reason: String, retryAfter: UInt64?, redirect: Redirect? = nil) {
        guard self.settle() else {
            return
        }
        self.onCancelled = nil
        self.link.refuse(code, reason: reason, retryAfter: retryAfter, redirect: redirect)
    }

    func receive(_ message: MoQMessage) throws(ProtocolViolation) {
        throw .protocolViolation("message that does not belong to a TRACK_STATUS")
    }

    func peerFinished() {
        // The request is the only message of its stream.
    }

    func peerCancelled() {
        self.cancelled()
    }

    func sessionClosed(_ closure: MoQSessionClosure) {
        self.cancelled()
    }

    private func settle() -> Bool {
        let wasPending = self.isPending
        self.isPending = false
        return wasPending
    }

    private func cancelled() {
        guard self.settle() else {
            return
        }
        self.link.retire()
        let onCancelled = self.onCancelled
        self.onCancelled = nil
        onCancelled?()
    }
}
