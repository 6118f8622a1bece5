// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What the datagram queue has for the transport right now.
public enum DatagramOffer: Hashable, Sendable {
    /// Nothing waits.
    case nothing
    /// The datagram that is next is larger than the room offered: ask again with more room.
    case doesNotFit
    /// A datagram of so many bytes is to be taken; `isLast` when none waits behind it.
    case ready(count: Int, isLast: Bool)
}
