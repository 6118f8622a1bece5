// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire

/// The handler of one session of a test case: accepts every SUBSCRIBE, and remembers what the session came to. (loop)
final class InteropPeer: MoQSessionHandler {
    /// Called with nil when both sides have sent SETUP, with the closure when the session ended before.
    private var setUpWaiter: ((MoQSessionClosure?) -> Void)?
    private var isSetUp = false
    /// How the session ended.
    private(set) var closure: MoQSessionClosure?
    /// Kept, because an announcement that nobody holds is still one, but cannot be taken back.
    var publication: NamespacePublication?

    /// Calls `waiter` when the session is set up, or over.
    func whenSetUp(_ waiter: @escaping (MoQSessionClosure?) -> Void) {
        if self.isSetUp || self.closure != nil {
            waiter(self.closure)
        } else {
            self.setUpWaiter = waiter
        }
    }

    private func answerWaiter() {
        let waiter = self.setUpWaiter
        self.setUpWaiter = nil
        waiter?(self.closure)
    }

    func sessionDidSetUp(_ session: MoQSession) {
        self.isSetUp = true
        self.answerWaiter()
    }

    func session(_ session: MoQSession, didReceive request: IncomingSubscribe) {
        _ = request.accept()
    }

    func session(_ session: MoQSession, didReceive request: IncomingPublish) {
        request.reject(.uninterested)
    }

    func session(_ session: MoQSession, didReceive request: IncomingPublishNamespace) {
        request.reject(.uninterested)
    }

    func session(_ session: MoQSession, didReceive request: IncomingSubscribeNamespace) {
        request.reject(.notSupported)
    }

    func session(_ session: MoQSession, didReceiveGoaway uri: String?, timeout: Duration?) {}

    func session(_ session: MoQSession, didClose closure: MoQSessionClosure) {
        self.closure = closure
        self.publication = nil
        self.answerWaiter()
    }
}
