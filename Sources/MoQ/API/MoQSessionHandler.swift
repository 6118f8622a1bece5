// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// Decides what a session does with what its peer asks for.
///
/// Called on the loop, synchronously. Every method may call back into the session, also to close it.
public protocol MoQSessionHandler: AnyObject {
    /// Both sides have sent SETUP; ``MoQSession/peerSetup`` is known.
    func sessionDidSetUp(_ session: MoQSession)
    /// The peer wants a track. Answer now or later; a request that is dropped unanswered gets INTERNAL_ERROR.
    func session(_ session: MoQSession, didReceive request: IncomingSubscribe)
    /// The peer offers a track.
    func session(_ session: MoQSession, didReceive request: IncomingPublish)
    /// The peer announces a namespace.
    func session(_ session: MoQSession, didReceive request: IncomingPublishNamespace)
    /// The peer wants to know which namespaces exist, or to be offered the tracks in them.
    func session(_ session: MoQSession, didReceive request: IncomingSubscribeNamespace)
    /// The peer wants a range of a track. Who does not implement this has it answered NOT_SUPPORTED.
    func session(_ session: MoQSession, didReceive request: IncomingFetch)
    /// The peer asks about a track. Who does not implement this has it answered NOT_SUPPORTED.
    func session(_ session: MoQSession, didReceive request: IncomingTrackStatus)
    /// The peer is about to end the session. New requests of this side fail from now on; `uri` says where to go
    /// instead, nil means to the same place, and `timeout` how long the peer will wait.
    func session(_ session: MoQSession, didReceiveGoaway uri: String?, timeout: Duration?)
    /// The peer wants one request moved, and not the session as a whole (draft-18 §10.4): the same should be asked for on
    /// another session, and this request ended when that one is answered. What it brings goes on meanwhile. Who does not
    /// implement this stays until the peer ends the request.
    func session(_ session: MoQSession, didReceiveGoaway goaway: SessionGoaway, for request: RequestID)
    /// The session is over: exactly once, after everything that belonged to it was told.
    func session(_ session: MoQSession, didClose closure: MoQSessionClosure)
}

extension MoQSessionHandler {
    /// Answers NOT_SUPPORTED.
    public func session(_ session: MoQSession, didReceive request: IncomingFetch) {
        session.totals.requestsNotSupported &+= 1
        request.reject(.notSupported, reason: "FETCH is not served here")
    }

    /// Answers NOT_SUPPORTED.
    public func session(_ session: MoQSession, didReceive request: IncomingTrackStatus) {
        session.totals.requestsNotSupported &+= 1
        request.reject(.notSupported, reason: "TRACK_STATUS is not served here")
    }

    /// Does nothing.
    public func session(_ session: MoQSession, didReceiveGoaway goaway: SessionGoaway, for request: RequestID) {}
}
