// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQWire

/// What a load consists of.
struct LoadPlan: Sendable {
    /// The name of the measurement: that of the subcommand.
    var name: String
    /// How many subscribers the track has.
    var subscribers = 1
    /// Over how many tracks the subscribers are spread, in turn. All tracks have the same rate, and the objects of each are
    /// due between those of the others.
    var tracks = 1
    /// How many subscribers connect per second before the objects begin; nil for as fast as they are taken.
    var ramp: Double?
    /// How many of the subscribers stop reading when the objects begin.
    var slowSubscribers = 0
    /// How many objects of each track are due per second; nil for as many as can be sent.
    var rate: Double?
    /// How long a payload is.
    var size: Int
    /// How many objects a group has.
    var groupSize: UInt64
    /// Over how many subgroups, each with a stream of its own, the objects of a group are spread.
    var subgroups: Int
    /// Whether objects travel in datagrams.
    var usesDatagrams: Bool
    /// Whether the payloads travel on one stream of the transport, and nothing of MoQ.
    var isBare = false
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

    /// How many objects of all tracks are due per second.
    var totalRate: Double? { self.rate.map { $0 * Double(self.tracks) } }

    /// How often so many objects have to arrive. Each goes to all readers of its track.
    func deliveries(of objects: UInt64) -> UInt64 {
        objects * UInt64(self.readers) / UInt64(self.tracks)
    }

    /// The tracks of the load: `base`, or as many in its namespace as there are.
    func trackNames(_ base: FullTrackName) -> [FullTrackName] {
        guard self.tracks > 1 else { return [base] }
        return (1...self.tracks).map { FullTrackName(namespace: base.namespace, name: "load-\($0)") }
    }

    /// A track that nobody else has, because some relays remember what was published.
    static func makeTrack() -> FullTrackName {
        let number = UInt64.random(in: 0...UInt64.max)
        return FullTrackName(namespace: TrackNamespace(["moq-bench", String(number, radix: 36)]), name: "load")
    }
}
