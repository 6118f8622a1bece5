// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQProtocol
public import MoQWire
internal import PacketLoop

extension MoQSession {
    /// Asks the peer to make one of its requests somewhere else, once; all others stay (draft-18 §10.4, "GOAWAY"). The request
    /// is one that was accepted here: a subscription, a fetch, an offered track, an announcement, or one about the namespaces
    /// or tracks under a prefix. It goes on until the peer ends it.
    ///
    /// `newSessionURI` says where to connect to; nil for the same place. Only servers may say it, and clients ignore it here.
    /// When `timeout` has passed and the request still stands, its stream is reset (GOING_AWAY), and whoever has it here is told
    /// what is told when a peer gives a request up; nil, or zero, leaves it to the peer.
    /// - Throws: `notExpressible` where the draft has no such message, as those before 18, or the URI is too long;
    ///   `invalidState` when there is no such request of the peer, when it is not accepted or over, or when this was sent before.
    public func sendGoaway(
        for request: RequestID,
        newSessionURI: String? = nil,
        timeout: Duration? = nil
    ) throws(MoQError) {
        self.loop.assertOnLoop()
        guard self.profile.goawayForm == .uriTimeoutRequestID else {
            throw MoQError(code: .notExpressible, message: "the draft has no GOAWAY for a single request")
        }
        guard let owner = self.requests[request], let link = owner.acceptedLink else {
            throw MoQError(code: .invalidState, message: "the peer has made no request \(request) that was accepted")
        }
        let goaway = Goaway(
            newSessionURI: self.role == .server ? newSessionURI ?? "" : "",
            timeout: timeout?.clampedMilliseconds ?? 0
        )
        try link.sendGoaway(goaway, timeout: timeout, owner: owner)
    }
}
