// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What a session has and what it has seen. Everything that starts with `live` returns to zero when the session closes.
public struct MoQSessionCounters: Hashable, Sendable {
    /// Requests of either side that are not over.
    public var liveRequests = 0
    /// Subscriptions in which this side is the subscriber.
    public var liveSubscriptions = 0
    /// Subscriptions in which this side is the publisher.
    public var livePublications = 0
    /// Fetches of ours that are accepted and not complete.
    public var liveFetches = 0
    /// Fetches of the peer that are accepted and not delivered.
    public var liveFetchesServed = 0
    /// Data streams from the peer that are being read or held back.
    public var liveStreamsIn = 0
    /// Data streams to the peer that are not completely delivered.
    public var liveStreamsOut = 0
    /// Data streams that are held back because their track alias is not known yet; part of ``liveStreamsIn``.
    public var liveHeldStreams = 0
    /// Tokens that the peer has registered.
    public var liveTokens = 0

    /// Control messages received.
    public var messagesReceived: UInt64 = 0
    /// Control messages sent.
    public var messagesSent: UInt64 = 0
    /// Requests of the peer that were answered NOT_SUPPORTED.
    public var requestsNotSupported: UInt64 = 0
    /// Messages that arrived for a request that was cancelled or over.
    public var lateMessages: UInt64 = 0
    /// Bidirectional streams of the peer that were given up because they did not say in time what they are for.
    public var streamsWithoutMessage: UInt64 = 0
    /// Data streams received.
    public var streamsReceived: UInt64 = 0
    /// Data streams opened.
    public var streamsOpened: UInt64 = 0
    /// Objects received on streams and in datagrams.
    public var objectsReceived: UInt64 = 0
    /// Objects sent on streams and in datagrams.
    public var objectsSent: UInt64 = 0
    /// Bytes of payload received.
    public var payloadBytesReceived: UInt64 = 0
    /// Bytes of payload handed to the transport.
    public var payloadBytesSent: UInt64 = 0
    /// Datagrams of the peer that belong to no known track.
    public var datagramsUnknownTrack: UInt64 = 0
    /// Datagrams that could not be sent: too large, queue full, or not taken by the peer.
    public var datagramsNotSent: UInt64 = 0
    /// Data streams of the peer that were stopped: not wanted, never claimed, or too many held back.
    public var streamsStopped: UInt64 = 0
    /// Datagrams, and objects of subgroups that had begun, not sent because the subscriber wants none forwarded.
    public var objectsNotForwarded: UInt64 = 0
    /// Subgroups not begun because the subscriber wants none forwarded, or is not established or is over.
    public var subgroupsNotForwarded: UInt64 = 0
    /// Datagrams, and objects of subgroups that had begun, not sent because the subscriber's filter leaves them out.
    public var objectsFiltered: UInt64 = 0
    /// Subgroups not begun because the subscriber's filter leaves out their whole group.
    public var subgroupsFiltered: UInt64 = 0
    /// Subgroups not sent because no stream could be opened.
    public var subgroupsWithoutStream: UInt64 = 0
    /// Subgroups that were reset because they, or objects in them, were not delivered in time.
    public var subgroupsTimedOut: UInt64 = 0
    /// Subscribers that were cut off because they read too slowly.
    public var subscribersTooFarBehind: UInt64 = 0
    /// Subscriptions and fetches of this side that it ended because their track is malformed.
    public var malformedTracks: UInt64 = 0
    /// Requests of the peer, and updates of them, that were refused because of their tokens.
    public var requestsUnauthorized: UInt64 = 0

    /// All zero.
    public init() {}
}
