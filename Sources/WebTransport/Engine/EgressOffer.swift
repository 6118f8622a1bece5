// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What a stream has for the transport right now.
public struct EgressOffer: Hashable, Sendable {
    /// How many bytes are to be taken.
    public var count: Int
    /// Whether the stream ends behind them.
    public var isFinal: Bool
    /// Whether more is queued behind them.
    public var isStillActive: Bool

    /// Describes an offer.
    public init(count: Int, isFinal: Bool, isStillActive: Bool) {
        self.count = count
        self.isFinal = isFinal
        self.isStillActive = isStillActive
    }

    /// Nothing to send.
    public static let nothing = EgressOffer(count: 0, isFinal: false, isStillActive: false)

    /// Whether there is neither a byte nor an end.
    public var isEmpty: Bool { self.count == 0 && !self.isFinal }
}
