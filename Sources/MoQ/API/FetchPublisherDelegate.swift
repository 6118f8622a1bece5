// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Why a ``FetchPublisher`` takes no more objects.
public enum FetchPublisherEnd: Hashable, Sendable {
    /// ``FetchPublisher/finish()`` was called, and everything was delivered.
    case finished
    /// This side gave the response up, or used the publisher wrongly.
    case reset
    /// The peer does not want the objects any more.
    case cancelledByPeer
    /// More was written than the transport keeps for a peer that does not read.
    case tooFarBehind
    /// The session closed.
    case sessionClosed(MoQSessionClosure)
}

/// Learns what happens to the request behind a ``FetchPublisher``. Called on the loop, synchronously.
public protocol FetchPublisherDelegate: AnyObject {
    /// The queue was above the high watermark, or not empty, and drained: there is room for more objects.
    func fetchPublisherDidDrain(_ publisher: FetchPublisher)
    /// The fetch is over: exactly once, last.
    func fetchPublisher(_ publisher: FetchPublisher, didEnd end: FetchPublisherEnd)
}
