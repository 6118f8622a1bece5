// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop

/// A SUBSCRIBE that waits: for a publisher to appear, or until the publishers have answered the relay's own. (loop)
final class WaitingSubscriber {
    let owner: RelayPeer
    let request: IncomingSubscribe
    /// Until when the subscriber is willing to wait for a publisher; nil when it is not.
    private let deadline: LoopInstant?
    /// Runs while there is no publisher.
    private var rendezvousTimer: LoopTimer?

    /// `patience` is how long the subscriber is willing to wait for a publisher, if it is.
    init(owner: RelayPeer, request: IncomingSubscribe, patience: Duration?, now: LoopInstant) {
        self.owner = owner
        self.request = request
        self.deadline = patience.map { now.advanced(by: $0) }
    }

    /// The new group that the subscriber asks for (draft-18 §10.2.13), if it does.
    var newGroupRequest: UInt64? {
        self.request.request.parameters.newGroupRequest
    }

    /// How long the subscriber is still willing to wait for a publisher.
    func patience(at now: LoopInstant) -> Duration {
        self.deadline.map { now < $0 ? now.duration(to: $0) : .zero } ?? .zero
    }

    /// Calls `expired` when no publisher has appeared by the time that the subscriber is willing to wait.
    func awaitPublisher(on loop: PacketLoop, expired: @escaping () -> Void) {
        self.stopAwaitingPublisher()
        self.rendezvousTimer = loop.schedule(after: self.patience(at: loop.now), expired)
    }

    /// There is a publisher, or nobody waits any more.
    func stopAwaitingPublisher() {
        self.rendezvousTimer?.cancel()
        self.rendezvousTimer = nil
    }
}
