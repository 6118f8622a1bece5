// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

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
    /// The peer wants to know which namespaces exist.
    func session(_ session: MoQSession, didReceive request: IncomingSubscribeNamespace)
    /// The peer is about to end the session. New requests of this side fail from now on; `uri` says where to go
    /// instead, nil means to the same place, and `timeout` how long the peer will wait.
    func session(_ session: MoQSession, didReceiveGoaway uri: String?, timeout: Duration?)
    /// The session is over: exactly once, after everything that belonged to it was told.
    func session(_ session: MoQSession, didClose closure: MoQSessionClosure)
}
