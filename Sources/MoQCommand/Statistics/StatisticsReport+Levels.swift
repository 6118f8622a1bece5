// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQPicoQuic
internal import MoQRelay
internal import PacketLoop
internal import PicoQuic
internal import WebTransport

extension StatisticsReport {
    /// Adds everything that an endpoint knows, from its connections up to its objects, and this process's memory.
    mutating func add(_ endpoint: MoQEndpointStatistics) {
        self.add(
            "connections",
            [
                "live": .of(endpoint.quic.connectionsLive), "created": .of(endpoint.quic.connectionsCreated),
                "ended": .of(endpoint.quic.connectionsEnded),
            ]
        )
        self.add(
            "sessions",
            [
                "live": .of(endpoint.sessionsLive), "created": .of(endpoint.sessionsCreated),
                "ended": .of(endpoint.sessionsEnded),
            ]
        )
        self.add(endpoint.sessions.transport.path ?? WebTransportPathStatistics())
        self.add(
            "packets",
            [
                "sent": .of(endpoint.quic.traffic.packetsSent), "received": .of(endpoint.quic.traffic.packetsReceived),
                "lost": .of(endpoint.quic.traffic.packetsLost), "spurious": .of(endpoint.quic.traffic.spuriousLosses),
                "refused": .of(endpoint.quic.messagesRefused), "dropped": .of(endpoint.quic.messagesDropped),
                "overflowed": .of(endpoint.quic.messagesOverflowed),
                "unclaimed": .of(endpoint.quic.packetsUnclaimed), "answered": .of(endpoint.quic.packetsAnswered),
                "forwarded": .of(endpoint.quic.packetsForwarded),
                "not_forwarded": .of(endpoint.quic.packetsNotForwarded),
            ]
        )
        self.add(
            "bytes",
            [
                "sent": .of(endpoint.quic.traffic.bytesSent), "received": .of(endpoint.quic.traffic.bytesReceived),
            ]
        )
        self.add(endpoint.sessions.transport)
        self.add(endpoint.sessions.counters)
        self.add("loop", ["sleeps": .of(endpoint.quic.sleeps), "polls": .of(endpoint.quic.polls)])
        self.add(endpoint.quic.loop)
        self.add("memory", ["resident_kib": .of(ProcessMemory.residentKiB)])
    }

    private mutating func add(_ path: WebTransportPathStatistics) {
        self.add(
            "path",
            [
                "rtt_ms": .decimal(Quantity.seconds(path.smoothedRoundTrip) * 1_000),
                "rtt_min_ms": .decimal(Quantity.seconds(path.minimumRoundTrip) * 1_000),
                "rtt_var_ms": .decimal(Quantity.seconds(path.roundTripVariation) * 1_000),
                "window": .of(path.congestionWindow), "in_flight": .of(path.bytesInFlight),
                "pacing_mbit": .decimal(Double(path.pacingRate) * 8e-6),
                "receive_mbit": .decimal(Double(path.receiveRate) * 8e-6),
            ]
        )
    }

    private mutating func add(_ transport: WebTransportStatistics) {
        self.add(
            "streams",
            [
                "live": .of(transport.streamsLive), "opened": .of(transport.streamsOpened),
                "accepted": .of(transport.streamsAccepted), "retired": .of(transport.streamsRetired),
                "refused": .of(transport.streamsRefused),
            ]
        )
        self.add(
            "stream_bytes",
            [
                "queued": .of(transport.queuedByteCount), "most_queued": .of(transport.maximumQueuedByteCount),
                "written": .of(transport.streamBytesWritten), "taken": .of(transport.streamBytesTaken),
                "dropped": .of(transport.streamBytesDropped), "received": .of(transport.streamBytesReceived),
                "consumed": .of(transport.streamBytesConsumed), "buffered": .of(transport.bufferedByteCount),
            ]
        )
        self.add(
            "datagrams",
            [
                "queued": .of(transport.datagramsQueued), "most_queued": .of(transport.maximumDatagramsQueued),
                "accepted": .of(transport.datagramsAccepted), "sent": .of(transport.datagramsSent),
                "dropped_full": .of(transport.datagramsDroppedFull),
                "dropped_late": .of(transport.datagramsDroppedLate),
                "dropped_oversize": .of(transport.datagramsDroppedOversize),
                "dropped_closed": .of(transport.datagramsDroppedClosed),
                "received": .of(transport.datagramsReceived), "unclaimed": .of(transport.datagramsUnclaimed),
            ]
        )
        self.add(
            "events",
            [
                "stale": .of(transport.staleEvents), "misdirected": .of(transport.misdirectedEvents),
                "window_updates": .of(transport.windowUpdates), "activations": .of(transport.activations),
                "empty_offers": .of(transport.emptyOffers), "refused_offers": .of(transport.refusedOffers),
            ]
        )
        self.add(
            "waits",
            [
                "live": .of(transport.waitsLive), "begun": .of(transport.waitsBegun),
                "ended": .of(transport.waitsEnded),
            ]
        )
    }

    private mutating func add(_ counters: MoQSessionCounters) {
        self.add(
            "requests",
            [
                "live": .of(counters.liveRequests), "subscriptions": .of(counters.liveSubscriptions),
                "publications": .of(counters.livePublications), "fetches": .of(counters.liveFetches),
                "fetches_served": .of(counters.liveFetchesServed), "not_supported": .of(counters.requestsNotSupported),
                "late": .of(counters.lateMessages), "too_far_behind": .of(counters.subscribersTooFarBehind),
                "malformed": .of(counters.malformedTracks), "unauthorized": .of(counters.requestsUnauthorized),
                "tokens": .of(counters.liveTokens),
            ]
        )
        self.add("messages", ["sent": .of(counters.messagesSent), "received": .of(counters.messagesReceived)])
        self.add(
            "subgroups",
            [
                "live_out": .of(counters.liveStreamsOut), "live_in": .of(counters.liveStreamsIn),
                "held": .of(counters.liveHeldStreams), "opened": .of(counters.streamsOpened),
                "received": .of(counters.streamsReceived), "stopped": .of(counters.streamsStopped),
                "not_forwarded": .of(counters.subgroupsNotForwarded), "filtered": .of(counters.subgroupsFiltered),
                "without_stream": .of(counters.subgroupsWithoutStream), "timed_out": .of(counters.subgroupsTimedOut),
            ]
        )
        self.add(
            "objects",
            [
                "sent": .of(counters.objectsSent), "received": .of(counters.objectsReceived),
                "bytes_sent": .of(counters.payloadBytesSent), "bytes_received": .of(counters.payloadBytesReceived),
                "not_forwarded": .of(counters.objectsNotForwarded), "filtered": .of(counters.objectsFiltered),
                "datagrams_not_sent": .of(counters.datagramsNotSent),
                "datagrams_unknown": .of(counters.datagramsUnknownTrack),
            ]
        )
    }

    private mutating func add(_ loop: PacketLoopCounters) {
        self.add(
            "jobs",
            [
                "queued": .of(loop.queuedJobs), "posted": .of(loop.posts), "run": .of(loop.jobsRun),
                "dropped": .of(loop.dropped), "wakes": .of(loop.wakes),
            ]
        )
        self.add(
            "timers",
            [
                "live": .of(loop.liveTimers), "fired": .of(loop.timersFired), "cancelled": .of(loop.timersCancelled),
            ]
        )
    }

    /// Adds what a relay has in hand and has done.
    mutating func add(_ relay: MoQRelayCounters) {
        self.add(
            "relay_live",
            [
                "sessions": .of(relay.live.sessions), "namespaces": .of(relay.live.namespaces),
                "tracks": .of(relay.live.tracks), "upstreams": .of(relay.live.upstreams),
                "subscribers": .of(relay.live.subscribers), "pending": .of(relay.live.pendingSubscribers),
                "listeners": .of(relay.live.namespaceSubscriptions), "subgroups": .of(relay.live.subgroups),
                "paused": .of(relay.live.pausedTracks), "fetches": .of(relay.live.fetches),
                "upstream_fetches": .of(relay.live.upstreamFetches),
            ]
        )
        self.add(
            "relay_cache",
            [
                "bytes": .of(relay.cachedBytes), "hits": .of(relay.cacheHits), "misses": .of(relay.cacheMisses),
                "evictions": .of(relay.cacheEvictions), "fetches": .of(relay.fetches),
                "upstream_fetches": .of(relay.upstreamFetches), "unknown": .of(relay.fetchGapsUnknown),
            ]
        )
        self.add(
            "relay_total",
            [
                "sessions": .of(relay.sessions), "namespaces": .of(relay.namespaces),
                "subscribes": .of(relay.upstreamSubscribes), "publishes": .of(relay.upstreamPublishes),
                "subscribers": .of(relay.subscribers), "listeners": .of(relay.namespaceSubscriptions),
                "pauses": .of(relay.pauses), "resumes": .of(relay.resumes),
            ]
        )
        self.add(
            "relay_objects",
            [
                "in": .of(relay.objectsIn), "out": .of(relay.objectsOut), "bytes_in": .of(relay.bytesIn),
                "bytes_out": .of(relay.bytesOut), "unwanted": .of(relay.objectsWithoutSubscriber),
                "duplicates": .of(relay.objectsDuplicate), "contradictions": .of(relay.tracksContradicted),
                "crossed": .of(relay.objectsCrossed), "bytes_crossed": .of(relay.bytesCrossed),
            ]
        )
        self.add(
            "relay_upstream",
            [
                "connects": .of(relay.upstreamConnects), "failures": .of(relay.upstreamFailures),
                "loops": .of(relay.upstreamLoops),
            ]
        )
        self.add(
            "relay_refused",
            [
                "sessions": .of(relay.sessionsRefused), "requests": .of(relay.requestsOverLimit),
                "not_found": .of(relay.tracksNotFound), "rendezvous": .of(relay.rendezvousTimeouts),
                "timeouts": .of(relay.upstreamTimeouts), "offers": .of(relay.offerTimeouts),
                "cut_off": .of(relay.subscribersCutOff), "cut_short": .of(relay.subgroupsCutShort),
            ]
        )
    }
}
