// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What is sent through the relay on a ``ForwardingStage``.
public struct StageScene: Hashable, Sendable {
    /// How objects travel.
    public enum Way: Hashable, Sendable {
        /// All of them on one stream.
        case oneSubgroup
        /// Each on a stream of its own, which ends with it.
        case subgroupEach
        /// Each in a datagram.
        case datagrams
    }

    /// What the scene is called in tables.
    public var name: String
    /// How the objects travel.
    public var way: Way
    /// The payload of an object, in bytes.
    public var objectSize: Int
    /// How many bytes of a stream arrive, and leave, at a time.
    public var piece: Int

    /// Objects of a kilobyte on one stream, each in a packet.
    public static let small = StageScene(name: "1 KB on a stream", way: .oneSubgroup, objectSize: 1_000, piece: 1 << 16)
    /// Objects that arrive whole although they are large, as from a shard.
    public static let large = StageScene(
        name: "16 KiB on a stream",
        way: .oneSubgroup,
        objectSize: 16 << 10,
        piece: 1 << 16
    )
    /// Large objects as a network brings them, in 14 packets.
    public static let packets = StageScene(
        name: "16 KiB in packets",
        way: .oneSubgroup,
        objectSize: 16 << 10,
        piece: 1_200
    )
    /// A stream for each object.
    public static let streams = StageScene(
        name: "1 KB on its own stream",
        way: .subgroupEach,
        objectSize: 1_000,
        piece: 1 << 16
    )
    /// Datagrams.
    public static let datagrams = StageScene(
        name: "1 KB in a datagram",
        way: .datagrams,
        objectSize: 1_000,
        piece: 1 << 16
    )

    /// All of them.
    public static let all = [Self.small, .large, .packets, .streams, .datagrams]
}
