// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire

/// The side of a session that asks and offers nothing: refuses whatever the peer asks for, and tells its owner when the
/// session begins and ends. (loop)
final class AskingPeer: MoQSessionHandler {
    private static let reason = "this side only asks"

    private let begun: (MoQSession) -> Void
    private let ended: (MoQSessionClosure) -> Void

    /// Makes a handler. `begun` is called once both sides have sent SETUP, `ended` once the session is over.
    init(begun: @escaping (MoQSession) -> Void, ended: @escaping (MoQSessionClosure) -> Void) {
        self.begun = begun
        self.ended = ended
    }

    func sessionDidSetUp(_ session: MoQSession) {
        self.begun(session)
    }

    func session(_ session: MoQSession, didReceive request: IncomingSubscribe) {
        request.reject(.doesNotExist, reason: Self.reason)
    }

    func session(_ session: MoQSession, didReceive request: IncomingPublish) {
        request.reject(.uninterested, reason: Self.reason)
    }

    func session(_ session: MoQSession, didReceive request: IncomingPublishNamespace) {
        request.reject(.uninterested, reason: Self.reason)
    }

    func session(_ session: MoQSession, didReceive request: IncomingSubscribeNamespace) {
        request.reject(.notSupported, reason: Self.reason)
    }

    func session(_ session: MoQSession, didReceiveGoaway uri: String?, timeout: Duration?) {
        // What was asked for is answered, or its end says why not.
    }

    func session(_ session: MoQSession, didClose closure: MoQSessionClosure) {
        self.ended(closure)
    }
}
