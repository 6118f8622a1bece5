// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import PacketLoop

/// A SUBSCRIBE that waits: for a publisher to appear, or until the publisher has answered the relay's own. (loop)
final class WaitingSubscriber {
    let owner: RelayPeer
    let request: IncomingSubscribe
    /// Runs while there is no publisher.
    private var rendezvousTimer: LoopTimer?

    init(owner: RelayPeer, request: IncomingSubscribe) {
        self.owner = owner
        self.request = request
    }

    /// Calls `expired` when no publisher has appeared after so long.
    func awaitPublisher(for duration: Duration, on loop: PacketLoop, expired: @escaping () -> Void) {
        self.rendezvousTimer = loop.schedule(after: duration, expired)
    }

    /// There is a publisher, or nobody waits any more.
    func stopAwaitingPublisher() {
        self.rendezvousTimer?.cancel()
        self.rendezvousTimer = nil
    }
}
