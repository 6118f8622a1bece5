// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import WebTransport

/// What a session and the transport below it have and have seen, in one snapshot, or the sum of that over several.
public struct MoQSessionStatistics: Hashable, Sendable {
    /// Requests, subscriptions, objects.
    public var counters: MoQSessionCounters
    /// Streams, queues, datagrams, and the path.
    public var transport: WebTransportStatistics

    /// Puts the two together.
    public init(
        counters: MoQSessionCounters = MoQSessionCounters(),
        transport: WebTransportStatistics = WebTransportStatistics()
    ) {
        self.counters = counters
        self.transport = transport
    }

    /// What a session that has closed leaves in a sum.
    public var totals: MoQSessionStatistics {
        MoQSessionStatistics(counters: self.counters, transport: self.transport.totals)
    }

    /// Adds the figures of another session.
    public mutating func add(_ other: MoQSessionStatistics) {
        self.counters.add(other.counters)
        self.transport.add(other.transport)
    }
}

extension MoQSessionCounters {
    /// Adds the figures of another session.
    public mutating func add(_ other: MoQSessionCounters) {
        self.liveRequests &+= other.liveRequests
        self.liveSubscriptions &+= other.liveSubscriptions
        self.livePublications &+= other.livePublications
        self.liveFetches &+= other.liveFetches
        self.liveFetchesServed &+= other.liveFetchesServed
        self.liveStreamsIn &+= other.liveStreamsIn
        self.liveStreamsOut &+= other.liveStreamsOut
        self.liveHeldStreams &+= other.liveHeldStreams
        self.liveTokens &+= other.liveTokens
        self.messagesReceived &+= other.messagesReceived
        self.messagesSent &+= other.messagesSent
        self.requestsNotSupported &+= other.requestsNotSupported
        self.lateMessages &+= other.lateMessages
        self.streamsReceived &+= other.streamsReceived
        self.streamsOpened &+= other.streamsOpened
        self.objectsReceived &+= other.objectsReceived
        self.objectsSent &+= other.objectsSent
        self.payloadBytesReceived &+= other.payloadBytesReceived
        self.payloadBytesSent &+= other.payloadBytesSent
        self.datagramsUnknownTrack &+= other.datagramsUnknownTrack
        self.datagramsNotSent &+= other.datagramsNotSent
        self.streamsStopped &+= other.streamsStopped
        self.objectsNotForwarded &+= other.objectsNotForwarded
        self.subgroupsNotForwarded &+= other.subgroupsNotForwarded
        self.objectsFiltered &+= other.objectsFiltered
        self.subgroupsFiltered &+= other.subgroupsFiltered
        self.subgroupsWithoutStream &+= other.subgroupsWithoutStream
        self.subgroupsTimedOut &+= other.subgroupsTimedOut
        self.streamsWithoutMessage &+= other.streamsWithoutMessage
        self.subscribersTooFarBehind &+= other.subscribersTooFarBehind
        self.malformedTracks &+= other.malformedTracks
        self.requestsUnauthorized &+= other.requestsUnauthorized
    }
}
