// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Logging
public import MoQ
import MoQWire
import WebTransport

/// While the relay drains, no request gets here: a session that has sent GOAWAY refuses them itself (GOING_AWAY, or
/// INTERNAL_ERROR up to draft 16, which has no better code).
extension MoQRelay: MoQSessionHandler {
    /// Takes note of the session. One whose setup was under way when the drain began is sent GOAWAY now.
    public func sessionDidSetUp(_ session: MoQSession) {
        self.log.debug("session set up", metadata: Self.metadata(of: session))
        guard let peer = self.peer(for: session) else {
            return
        }
        if let timeout = self.timeToDrain {
            session.sendGoaway(newSessionURI: nil, timeout: timeout)
        }
        peer.upstream?.sessionDidSetUp()
        peer.sibling?.sessionDidSetUp()
    }

    /// Routes a subscription to its track.
    public func session(_ session: MoQSession, didReceive request: IncomingSubscribe) {
        self.log.debug("SUBSCRIBE", metadata: Self.metadata(of: session, about: "\(request.track)"))
        if let peer = self.peer(for: session) {
            self.subscribe(request, from: peer)
        }
    }

    /// Answers a fetch from memory and from the publisher.
    public func session(_ session: MoQSession, didReceive request: IncomingFetch) {
        self.log.debug("FETCH", metadata: Self.metadata(of: session, about: "\(request.track)"))
        if let peer = self.peer(for: session) {
            self.fetch(request, from: peer)
        }
    }

    /// Says what is known about a track.
    public func session(_ session: MoQSession, didReceive request: IncomingTrackStatus) {
        self.log.debug("TRACK_STATUS", metadata: Self.metadata(of: session, about: "\(request.track)"))
        if let peer = self.peer(for: session) {
            self.trackStatus(request, from: peer)
        }
    }

    /// Takes a track that a publisher offers.
    public func session(_ session: MoQSession, didReceive request: IncomingPublish) {
        self.log.debug("PUBLISH", metadata: Self.metadata(of: session, about: "\(request.track)"))
        if let peer = self.peer(for: session) {
            self.publish(request, from: peer)
        }
    }

    /// Files a namespace that a publisher announces.
    public func session(_ session: MoQSession, didReceive request: IncomingPublishNamespace) {
        self.log.debug("PUBLISH_NAMESPACE", metadata: Self.metadata(of: session, about: "\(request.namespace)"))
        if let peer = self.peer(for: session) {
            self.announce(request, from: peer)
        }
    }

    /// Tells a subscriber about namespaces.
    public func session(_ session: MoQSession, didReceive request: IncomingSubscribeNamespace) {
        self.log.debug("SUBSCRIBE_NAMESPACE", metadata: Self.metadata(of: session, about: "\(request.prefix)"))
        if let peer = self.peer(for: session) {
            self.subscribeNamespace(request, from: peer)
        }
    }

    /// Asks nothing new of the peer from now on; what it publishes already goes on until it leaves. An upstream relay that
    /// nothing comes from is not kept waiting; one that says where to go instead is followed.
    public func session(_ session: MoQSession, didReceiveGoaway uri: String?, timeout: Duration?) {
        guard let peer = self.peer(for: session) else {
            return
        }
        peer.isGoingAway = true
        if let uri, !uri.isEmpty, peer.upstream?.moves(to: uri, from: peer) == true {
            return
        }
        self.closeIfLeft(peer)
    }

    /// Closes the session with an upstream relay that goes away, if nothing comes from it.
    func closeIfLeft(_ peer: RelayPeer) {
        if peer.isUpstream, peer.isGoingAway, peer.isIdle {
            peer.session.close(.noError, reason: "the relay that goes away has nothing for this one")
        }
    }

    /// Takes everything out that the session brought in: its subscriptions, its namespaces (with NAMESPACE_DONE to who
    /// follows them), and its tracks (with PUBLISH_DONE, INTERNAL_ERROR, to their subscribers unless another publisher
    /// stands by).
    public func session(_ session: MoQSession, didClose closure: MoQSessionClosure) {
        var metadata = Self.metadata(of: session)
        // The reason is the peer's, so control characters are escaped.
        metadata["reason"] = "\(closure.description.debugDescription)"
        self.log.log(level: closure.isClean ? .debug : .info, "session closed", metadata: metadata)
        self.remove(session, reason: closure.description)
    }

    /// Who a line in the log is about.
    private static func metadata(of session: MoQSession, about name: String? = nil) -> Logger.Metadata {
        var metadata: Logger.Metadata = [
            "peer": "\(session.transport.peerAddress)", "draft": "\(session.profile.version.number)",
        ]
        metadata["name"] = name.map { "\($0)" }
        return metadata
    }
}
