// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ

/// A SUBSCRIBE that waits until the publisher has answered the relay's own. (loop)
final class WaitingSubscriber {
    let owner: RelayPeer
    let request: IncomingSubscribe

    init(owner: RelayPeer, request: IncomingSubscribe) {
        self.owner = owner
        self.request = request
    }
}
