// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQWire

/// What a load consists of.
struct LoadPlan: Sendable {
    /// The name of the measurement: that of the subcommand.
    var name: String
    /// How many subscribers the track has.
    var subscribers = 1
    /// How many subscribers connect per second before the objects begin; nil for as fast as they are taken.
    var ramp: Double?
    /// How many of the subscribers stop reading when the objects begin.
    var slowSubscribers = 0
    /// How many objects are due per second; nil for as many as can be sent.
    var rate: Double?
    /// How long a payload is.
    var size: Int
    /// How many objects a group has.
    var groupSize: UInt64
    /// Over how many subgroups, each with a stream of its own, the objects of a group are spread.
    var subgroups: Int
    /// Whether objects travel in datagrams.
    var usesDatagrams: Bool
    /// How long objects flow before they are measured.
    var warmUp: Duration
    /// How long is measured.
    var duration: Duration
    /// Who gets an object later than that after it was due gets it late.
    var lateAfter: Duration
    /// The process of the relay, to look at what it uses.
    var relayPID: Int32?

    /// How many of the subscribers read to the end.
    var readers: Int { self.subscribers - self.slowSubscribers }

    /// A track that nobody else has, because some relays remember what was published.
    static func makeTrack() -> FullTrackName {
        let number = UInt64.random(in: 0...UInt64.max)
        return FullTrackName(namespace: TrackNamespace(["moq-bench", String(number, radix: 36)]), name: "load")
    }
}
