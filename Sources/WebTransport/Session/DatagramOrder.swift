// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Where a datagram stands among those that wait for room.
///
/// A lower rank goes first. Of the same rank they go in the order in which they were queued; those of one flow, though, share
/// the turns that they have by that, so that the lowest position of the flow takes its first turn.
public struct DatagramOrder: Hashable, Sendable {
    /// What counts most; lower goes first.
    public var rank: UInt16
    /// Which datagrams have positions that can be compared.
    public var flow: UInt64
    /// The position in the flow; lower goes first.
    public var major: UInt64
    /// What decides between those with the same ``major``; lower goes first.
    public var minor: UInt64

    /// Makes it of its parts. As it is, each goes behind all that wait with the middle rank.
    public init(rank: UInt16 = 1 << 15, flow: UInt64 = 0, major: UInt64 = 0, minor: UInt64 = 0) {
        self.rank = rank
        self.flow = flow
        self.major = major
        self.minor = minor
    }

    /// Whether this one takes the turn of the other, which was queued before and has the same rank.
    func overtakes(_ other: DatagramOrder) -> Bool {
        self.flow == other.flow && (self.major, self.minor) < (other.major, other.minor)
    }
}
