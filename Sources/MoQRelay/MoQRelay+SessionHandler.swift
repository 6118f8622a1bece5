// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQ
import MoQWire

extension MoQRelay: MoQSessionHandler {
    /// Takes note of the session.
    public func sessionDidSetUp(_ session: MoQSession) {
        _ = self.peer(for: session)
    }

    /// Routes a subscription to its track.
    public func session(_ session: MoQSession, didReceive request: IncomingSubscribe) {
        guard let peer = self.peer(for: session) else {
            return
        }
        guard !self.isDraining else {
            self.ledger.counters.requestsWhileDraining &+= 1
            request.reject(self.drainCode(for: session, fallback: .internalError), reason: Self.drainReason)
            return
        }
        self.subscribe(request, from: peer)
    }

    /// Takes a track that a publisher offers.
    public func session(_ session: MoQSession, didReceive request: IncomingPublish) {
        guard let peer = self.peer(for: session) else {
            return
        }
        guard !self.isDraining else {
            self.ledger.counters.requestsWhileDraining &+= 1
            request.reject(self.drainCode(for: session, fallback: .uninterested), reason: Self.drainReason)
            return
        }
        self.publish(request, from: peer)
    }

    /// Files a namespace that a publisher announces.
    public func session(_ session: MoQSession, didReceive request: IncomingPublishNamespace) {
        guard let peer = self.peer(for: session) else {
            return
        }
        guard !self.isDraining else {
            self.ledger.counters.requestsWhileDraining &+= 1
            request.reject(self.drainCode(for: session, fallback: .uninterested), reason: Self.drainReason)
            return
        }
        self.announce(request, from: peer)
    }

    /// Tells a subscriber about namespaces.
    public func session(_ session: MoQSession, didReceive request: IncomingSubscribeNamespace) {
        guard let peer = self.peer(for: session) else {
            return
        }
        guard !self.isDraining else {
            self.ledger.counters.requestsWhileDraining &+= 1
            request.reject(self.drainCode(for: session, fallback: .internalError), reason: Self.drainReason)
            return
        }
        self.subscribeNamespace(request, from: peer)
    }

    /// Asks nothing new of the peer from now on; what it publishes already goes on until it leaves.
    public func session(_ session: MoQSession, didReceiveGoaway uri: String?, timeout: Duration?) {
        self.peer(for: session)?.isGoingAway = true
    }

    /// Takes everything out that the session brought in: its subscriptions, its namespaces (with NAMESPACE_DONE to who
    /// follows them), and its tracks (with PUBLISH_DONE, INTERNAL_ERROR, to their subscribers unless another publisher
    /// stands by).
    public func session(_ session: MoQSession, didClose closure: MoQSessionClosure) {
        self.remove(session)
    }

    private static let drainReason = "the relay is going away"

    /// GOING_AWAY, or what comes closest to it in a draft without that code.
    private func drainCode(for session: MoQSession, fallback: RequestErrorCode) -> RequestErrorCode {
        let code = RequestErrorCode.goingAway
        let wireValue = code.wireValue(in: session.profile)
        return RequestErrorCode(wireValue: wireValue, in: session.profile) == code ? code : fallback
    }
}
