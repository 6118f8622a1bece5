// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQ
import MoQWire

/// While the relay drains, no request gets here: a session that has sent GOAWAY refuses them itself (GOING_AWAY, or
/// INTERNAL_ERROR up to draft 16, which has no better code).
extension MoQRelay: MoQSessionHandler {
    /// Takes note of the session. One whose setup was under way when the drain began is sent GOAWAY now.
    public func sessionDidSetUp(_ session: MoQSession) {
        if self.peer(for: session) != nil, let timeout = self.timeToDrain {
            session.sendGoaway(newSessionURI: nil, timeout: timeout)
        }
    }

    /// Routes a subscription to its track.
    public func session(_ session: MoQSession, didReceive request: IncomingSubscribe) {
        if let peer = self.peer(for: session) {
            self.subscribe(request, from: peer)
        }
    }

    /// Takes a track that a publisher offers.
    public func session(_ session: MoQSession, didReceive request: IncomingPublish) {
        if let peer = self.peer(for: session) {
            self.publish(request, from: peer)
        }
    }

    /// Files a namespace that a publisher announces.
    public func session(_ session: MoQSession, didReceive request: IncomingPublishNamespace) {
        if let peer = self.peer(for: session) {
            self.announce(request, from: peer)
        }
    }

    /// Tells a subscriber about namespaces.
    public func session(_ session: MoQSession, didReceive request: IncomingSubscribeNamespace) {
        if let peer = self.peer(for: session) {
            self.subscribeNamespace(request, from: peer)
        }
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
}
