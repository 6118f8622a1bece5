// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire

/// The handler of an application that decides nothing itself: it reads what it asks for, and publishes with
/// ``TrackWriter``s, whose subscribers the session answers by itself. Everything else that the peer wants is refused.
public final class RefusingHandler: MoQSessionHandler {
    /// Makes a handler.
    public init() {}

    /// Does nothing.
    public func sessionDidSetUp(_ session: MoQSession) {}

    /// Answers DOES_NOT_EXIST: the track is not published here.
    public func session(_ session: MoQSession, didReceive request: IncomingSubscribe) {
        request.reject(.doesNotExist, reason: "\(request.track) is not published here")
    }

    /// Answers UNINTERESTED.
    public func session(_ session: MoQSession, didReceive request: IncomingPublish) {
        request.reject(.uninterested, reason: "this side subscribes by name")
    }

    /// Answers UNINTERESTED.
    public func session(_ session: MoQSession, didReceive request: IncomingPublishNamespace) {
        request.reject(.uninterested, reason: "this side subscribes by name")
    }

    /// Answers NOT_SUPPORTED.
    public func session(_ session: MoQSession, didReceive request: IncomingSubscribeNamespace) {
        request.reject(.notSupported, reason: "this side announces its namespaces itself")
    }

    /// Does nothing: requests fail from now on, and what is under way goes on.
    public func session(_ session: MoQSession, didReceiveGoaway uri: String?, timeout: Duration?) {}

    /// Does nothing: everything that belongs to the session has been told.
    public func session(_ session: MoQSession, didClose closure: MoQSessionClosure) {}
}
