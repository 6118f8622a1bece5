// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQPicoQuic
internal import MoQRelay
internal import PacketLoop
internal import PicoQuic
internal import WebTransport

extension StatisticsReport {
    /// What a relay prints. The summary is one line with everything that is alive: all counts are zero on an idle relay.
    init(relay: MoQRelayCounters, endpoint: MoQEndpointStatistics) {
        self.init()
        let live = relay.live
        let figures: [(String, String)] = [
            ("connections", "\(endpoint.quic.connectionsLive)"),
            ("sessions", "\(live.sessions)"),
            ("streams", "\(endpoint.sessions.transport.streamsLive)"),
            ("requests", "\(endpoint.sessions.counters.liveRequests)"),
            ("subscriptions", "\(live.subscribers + live.pendingSubscribers)"),
            ("upstreams", "\(live.upstreams)"),
            ("tracks", "\(live.tracks)"),
            ("namespaces", "\(live.namespaces)"),
            ("tasks", "\(endpoint.quic.loop.queuedJobs)"),
            ("timers", "\(endpoint.quic.loop.liveTimers)"),
            ("memory", "\(ProcessMemory.residentKiB)KiB"),
            ("total-sessions", "\(relay.sessions)"),
            ("bytes-in", "\(relay.bytesIn)"),
            ("bytes-out", "\(relay.bytesOut)"),
        ]
        self.summary = "stats " + figures.map { "\($0.0)=\($0.1)" }.joined(separator: " ") + "\n"
        self.isSummaryEnough = true
        self.add(endpoint)
        self.add(relay)
    }
}
