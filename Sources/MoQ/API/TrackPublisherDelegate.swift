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
    /// The queue was above the high watermark and fell to the low one.
    func trackPublisherDidDrain(_ publisher: TrackPublisher)
    /// The subscription is over: exactly once, last.
    func trackPublisher(_ publisher: TrackPublisher, didEnd end: TrackPublisherEnd)
}

extension TrackPublisherDelegate {
    /// Does nothing: most publishers do not care.
    public func trackPublisher(_ publisher: TrackPublisher, didUpdate parameters: SubscriptionParameters) {}
    /// Does nothing: publishers that pace themselves do not care.
    public func trackPublisherDidDrain(_ publisher: TrackPublisher) {}
}
