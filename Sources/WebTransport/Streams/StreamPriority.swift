// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// The local sending order of a stream: lower values go first, and nothing of it is on the wire.
///
/// Among streams of equal priority an odd value sends them one after the other in the order of their numbers; an even
/// value shares the link between them.
public struct StreamPriority: RawRepresentable, Hashable, Comparable, Sendable {
    /// The value; lower goes first.
    public var rawValue: UInt8

    /// Wraps a value.
    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Control streams: before everything else.
    public static let control = StreamPriority(rawValue: 1)

    /// Streams that carry one request and its answers.
    public static let request = StreamPriority(rawValue: 3)

    /// Datagrams, which stand between the streams of control and requests and those of media.
    public static let datagram = StreamPriority(rawValue: 4)

    /// Streams nobody gave a priority, in order of their numbers.
    public static let `default` = StreamPriority(rawValue: 9)

    /// Whether equals are sent one after the other instead of sharing the link.
    public var isInOrder: Bool { self.rawValue & 1 == 1 }

    /// Orders by value: what is less is sent first.
    public static func < (left: StreamPriority, right: StreamPriority) -> Bool {
        left.rawValue < right.rawValue
    }
}
