// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQProtocol
import MoQWire

/// A PUBLISH of the peer that is not answered. Loop only.
final class PublishOffer: SessionRequest {
    let link: RequestLink
    let request: Publish
    var onCancelled: (() -> Void)?
    private(set) var isPending = true

    init(link: RequestLink, request: Publish) {
        self.link = link
        self.request = request
    }

    /// `prepare` is given the subscription before the first object comes.
    func accept(
        parameters: SubscriptionParameters,
        consumer: any TrackConsumer,
        prepare: (Subscription) -> Void = { _ in }
    ) -> Subscription {
        let subscription = Subscription(
            accepting: self.request,
            link: self.link,
            parameters: parameters,
            consumer: consumer
        )
        prepare(subscription)
        guard self.isPending else {
            subscription.acceptFailed()
            return subscription
        }
        self.settle()
        self.onCancelled = nil
        subscription.acceptOffer(parameters: parameters)
        return subscription
    }

    func reject(_ code: RequestErrorCode, reason: String, retryAfter: UInt64?) {
        guard self.isPending else {
            return
        }
        self.settle()
        self.onCancelled = nil
        let session = self.link.session
        self.link.refuse(code, reason: reason, retryAfter: retryAfter)
        session.retireAlias(self.request.trackAlias)
    }

    func receive(_ message: MoQMessage) throws(ProtocolViolation) {
        switch message {
        case .publishDone:
            self.link.finish()
            self.withdrawn()
        case .requestUpdate(let update):
            self.link.refuseUpdate(update.requestID, .notSupported, reason: "the publisher cannot update its offer")
        default:
            throw .protocolViolation("message that does not belong to a PUBLISH")
        }
    }

    func peerFinished() {
        self.link.finish()
        self.withdrawn()
    }

    func peerCancelled() {
        self.withdrawn()
    }

    func sessionClosed(_ closure: MoQSessionClosure) {
        self.withdrawn()
    }

    private func settle() {
        self.isPending = false
        self.link.session.offeredTracks.remove(self.request.track)
    }

    private func withdrawn() {
        guard self.isPending else {
            return
        }
        self.settle()
        self.link.retire()
        self.link.session.retireAlias(self.request.trackAlias)
        let onCancelled = self.onCancelled
        self.onCancelled = nil
        onCancelled?()
    }
}
