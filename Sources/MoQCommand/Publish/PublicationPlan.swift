// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// How `moq pub` turns its input into groups and objects.
struct PublicationPlan: Hashable, Sendable {
    /// The largest payload of an object in a datagram: small enough for every path that carries QUIC.
    static let maximumDatagramPayload = 1_100
    /// The largest object on a stream. One object is held in memory until it is complete.
    static let maximumObjectSize = 16 << 20
    /// Longer lines are split.
    static let maximumLineLength = 1 << 20
    /// How fast datagrams are sent when nothing else is asked for: they have no flow control of their own.
    static let defaultDatagramRate = 1_000.0

    /// Where objects end.
    var rule: ObjectCutter.Rule
    /// How many objects a group has; the last one may have fewer.
    var groupSize: UInt64
    /// Whether objects travel in datagrams, which may get lost, instead of on streams.
    var usesDatagrams: Bool
    /// At most this many objects per second; nil for as fast as the network takes them.
    var rate: Double?
}
