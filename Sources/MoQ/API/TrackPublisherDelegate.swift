// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// Why a ``TrackPublisher`` takes no more objects.
public enum TrackPublisherEnd: Hashable, Sendable {
    /// ``TrackPublisher/end(_:reason:)`` was called, and everything was delivered.
    case finished
    /// The subscriber's filter has an end and it was reached.
    case rangeEnded
    /// The subscriber does not want the track any more.
    case cancelledByPeer
    /// The subscriber reads too slowly and was cut off.
    case tooFarBehind
    /// The session closed.
    case sessionClosed(MoQSessionClosure)
}

/// Learns what happens to the subscription behind a ``TrackPublisher``. Called on the loop, synchronously.
public protocol TrackPublisherDelegate: AnyObject {
    /// The subscriber turned the flow of objects on or off (draft-18 §10.2.13, "FORWARD").
    func trackPublisher(_ publisher: TrackPublisher, didChangeForward forward: Bool)
    /// The subscriber changed its wishes; the publisher has applied them. Not called for a change of FORWARD alone.
    func trackPublisher(_ publisher: TrackPublisher, didUpdate parameters: SubscriptionParameters)
    /// The largest location of the track that the publisher knows of, asked for when the subscriber changes its wishes.
    ///
    /// A ``TrackPublisher`` does not see what is published while its subscriber wants nothing. Whoever can say how far the
    /// track is, says it here: it goes into the answer (draft-18 §10.2.11, "LARGEST_OBJECT"), and relative filters are
    /// resolved against it.
    func trackPublisherLargestObject(_ publisher: TrackPublisher) -> Location?
    /// The queue was above the high watermark and fell to the low one.
    func trackPublisherDidDrain(_ publisher: TrackPublisher)
    /// The subscription is over: exactly once, last.
    func trackPublisher(_ publisher: TrackPublisher, didEnd end: TrackPublisherEnd)
}

extension TrackPublisherDelegate {
    /// Does nothing: most publishers do not care.
    public func trackPublisher(_ publisher: TrackPublisher, didUpdate parameters: SubscriptionParameters) {}
    /// Knows nothing: what was published through the ``TrackPublisher`` itself counts.
    public func trackPublisherLargestObject(_ publisher: TrackPublisher) -> Location? {
        nil
    }
    /// Does nothing: publishers that pace themselves do not care.
    public func trackPublisherDidDrain(_ publisher: TrackPublisher) {}
}
