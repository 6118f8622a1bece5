// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQRelay
internal import MoQWire
internal import PacketLoop
internal import WebTransport

/// The relay and its sessions, on their loop. (loop)
final class RelayStage {
    /// The relay.
    let relay: MoQRelay

    private let loop: PacketLoop
    private var sessions: [MoQSession] = []

    /// Makes a relay without sessions.
    init(loop: PacketLoop, configuration: MoQRelayConfiguration) {
        self.loop = loop
        self.relay = MoQRelay(loop: loop, configuration: configuration)
    }

    /// Hands a connection to the relay.
    func accept(_ transport: any WebTransportSession, profile: DraftProfile) -> MoQSession? {
        self.sessions.removeAll { !$0.isOpen }
        let session = self.relay.accept(transport, profile: profile)
        if let session {
            self.sessions.append(session)
        }
        return session
    }

    /// One line with everything that is alive at the moment. All counts are zero on an idle relay.
    func statusLine(connections: Int) -> String {
        self.sessions.removeAll { !$0.isOpen }
        let streams = self.sessions.reduce(0) { $0 + $1.transport.statistics.streamsLive }
        let requests = self.sessions.reduce(0) { $0 + $1.counters.liveRequests }
        let live = self.relay.counters.live
        let counters = self.loop.counters
        let figures: [(String, String)] = [
            ("connections", "\(connections)"),
            ("sessions", "\(live.sessions)"),
            ("streams", "\(streams)"),
            ("requests", "\(requests)"),
            ("subscriptions", "\(live.subscribers + live.pendingSubscribers)"),
            ("upstreams", "\(live.upstreams)"),
            ("tracks", "\(live.tracks)"),
            ("namespaces", "\(live.namespaces)"),
            ("tasks", "\(counters.queuedJobs)"),
            ("timers", "\(counters.liveTimers)"),
            ("memory", "\(ProcessMemory.residentKiB)KiB"),
            ("total-sessions", "\(self.relay.counters.sessions)"),
            ("bytes-in", "\(self.relay.counters.bytesIn)"),
            ("bytes-out", "\(self.relay.counters.bytesOut)"),
        ]
        return "stats " + figures.map { "\($0.0)=\($0.1)" }.joined(separator: " ")
    }
}
