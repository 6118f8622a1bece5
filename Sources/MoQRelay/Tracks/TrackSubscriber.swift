// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire

/// One subscriber of one track: the way from a forwarder to a session's egress. (loop)
///
/// The queue, its bound and the cut-off belong to the ``TrackPublisher``; the subscriber only reports what happens there
/// to its forwarder.
final class TrackSubscriber: TrackPublisherDelegate {
    let owner: RelayPeer
    let publisher: TrackPublisher
    /// Where objects come from, until the subscription ends.
    private(set) weak var forwarder: TrackForwarder?
    /// The place in the forwarder's list of subscribers.
    var index = 0
    /// How many open subgroups deliver to the subscriber, or will with their next object if its filter lets them.
    var liveLegs = 0
    /// How many of them have a stream.
    var openLegs = 0
    /// Whether the subscriber counts among those that want objects now.
    var isDemanding = false
    /// Whether it is another shard of the relay.
    let isSibling: Bool
    /// Whether all subscribers lag for whom that shard wants the track.
    var lagsElsewhere = false

    init(owner: RelayPeer, publisher: TrackPublisher, forwarder: TrackForwarder) {
        self.owner = owner
        self.publisher = publisher
        self.forwarder = forwarder
        self.isSibling = owner.isSibling
    }

    /// Whether more is queued than should be, here or where it goes.
    var isAboveHighWatermark: Bool {
        self.lagsElsewhere || self.publisher.isAboveHighWatermark
    }

    /// Whether the subscriber takes objects of the open subgroups. One whose range has ended still takes those of the streams
    /// that it has.
    var takesObjects: Bool {
        self.publisher.forward ? self.liveLegs > 0 : self.openLegs > 0 && self.publisher.isEnded
    }

    /// Whether the subscriber takes no more objects.
    private(set) var isOver = false

    /// Cuts the connection to the forwarder: whatever the publisher reports from now on changes nothing there.
    func detach() {
        self.isOver = true
        self.forwarder = nil
    }

    func trackPublisher(_ publisher: TrackPublisher, didChangeForward forward: Bool) {
        self.forwarder?.subscriberChangedForward(self)
    }

    func trackPublisher(_ publisher: TrackPublisher, didUpdate parameters: SubscriptionParameters) {
        self.forwarder?.subscriberChangedWishes(self)
        self.forwarder?.requestGroup(parameters.newGroupRequest)
    }

    func trackPublisherLargestObject(_ publisher: TrackPublisher) -> Location? {
        self.forwarder?.largest
    }

    func trackPublisherDidDrain(_ publisher: TrackPublisher) {
        self.forwarder?.subscriberDrained()
    }

    func trackPublisher(_ publisher: TrackPublisher, didEnd end: TrackPublisherEnd) {
        self.forwarder?.subscriberEnded(self, end: end)
    }
}
