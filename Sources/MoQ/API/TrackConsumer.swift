// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire
public import WebTransport

/// Takes what a subscription delivers. Subscribers, forwarders, caches and ``TrackPublisher`` implement it, and so can
/// be chained without a copy or a hop.
///
/// Used on the loop only, synchronously.
public protocol TrackConsumer: AnyObject {
    /// A subgroup begins. Its objects go to the consumer that is returned; nil means that they are not wanted, and the
    /// stream that carries them is stopped.
    func beginSubgroup(_ subgroup: SubgroupDescription) -> (any SubgroupConsumer)?
    /// An object that came in a datagram. A datagram with a status has an empty payload.
    func receive(_ datagram: ObjectDatagram, payload: Bytes)
    /// Nothing more will come. Called once, after every subgroup was finished or reset.
    func trackEnded(_ end: TrackEnd)
}
