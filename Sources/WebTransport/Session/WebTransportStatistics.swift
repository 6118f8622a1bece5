// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What a session has done so far and what it holds now, or the sum of that over several.
///
/// The figures balance, at any time outside the session's callbacks:
/// - streams opened and accepted, less those retired, are the ones that live: none after the session's end;
/// - stream bytes written are those taken, dropped, and still queued; those received were consumed or are buffered;
/// - datagrams accepted are those sent, dropped for one of the four causes, and still queued.
public struct WebTransportStatistics: Hashable, Sendable {
    /// Streams that this side opened.
    public var streamsOpened: UInt64 = 0
    /// Streams of the peer that were accepted.
    public var streamsAccepted: UInt64 = 0
    /// Streams of the peer that were refused: too many, after the end, or without a handler.
    public var streamsRefused: UInt64 = 0
    /// Streams whose both directions are over.
    public var streamsRetired: UInt64 = 0
    /// Streams that live now.
    public var streamsLive: Int { Int(clamping: self.streamsOpened + self.streamsAccepted - self.streamsRetired) }

    /// Stream bytes that were written.
    public var streamBytesWritten: UInt64 = 0
    /// Stream bytes written that were dropped with their stream or their session before the transport took them.
    public var streamBytesDropped: UInt64 = 0
    /// Stream bytes handed to the transport.
    public var streamBytesTaken: UInt64 = 0
    /// Stream bytes that arrived.
    public var streamBytesReceived: UInt64 = 0
    /// Stream bytes that readers consumed or that were thrown away with their stream.
    public var streamBytesConsumed: UInt64 = 0
    /// Stream bytes queued to be sent now.
    public var queuedByteCount = 0
    /// The most stream bytes ever queued.
    public var maximumQueuedByteCount = 0
    /// Stream bytes received and kept for their readers now.
    public var bufferedByteCount = 0
    /// Times the transport was told that a stream has something to send.
    public var activations: UInt64 = 0
    /// Times the transport asked a stream that had nothing to send.
    public var emptyOffers: UInt64 = 0
    /// Times the transport gave no room for what it had asked for.
    public var refusedOffers: UInt64 = 0
    /// Times a receive window was opened further.
    public var windowUpdates: UInt64 = 0
    /// Events that named a stream that was gone already.
    public var staleEvents: UInt64 = 0
    /// Events that were illegal for their stream: data on a stream only we send on, and the like.
    public var misdirectedEvents: UInt64 = 0

    /// Times a task began to wait: for bytes, room, a stream or the end of the streams.
    public var waitsBegun: UInt64 = 0
    /// Times such a task went on.
    public var waitsEnded: UInt64 = 0
    /// Tasks that wait now; none does long after the end of the session.
    public var waitsLive: Int { Int(clamping: self.waitsBegun - self.waitsEnded) }

    /// Datagrams that were accepted for sending.
    public var datagramsAccepted: UInt64 = 0
    /// Datagrams handed to the transport.
    public var datagramsSent: UInt64 = 0
    /// Datagrams given to the handler.
    public var datagramsReceived: UInt64 = 0
    /// Datagrams queued to be sent now.
    public var datagramsQueued = 0
    /// The bytes of the datagrams queued now.
    public var datagramBytesQueued = 0
    /// The most datagrams ever queued.
    public var maximumDatagramsQueued = 0
    /// Datagrams dropped because the queue was full.
    public var datagramsDroppedFull: UInt64 = 0
    /// Datagrams dropped because they had waited too long.
    public var datagramsDroppedLate: UInt64 = 0
    /// Datagrams dropped because the path stopped taking that size.
    public var datagramsDroppedOversize: UInt64 = 0
    /// Datagrams dropped because the session ended first.
    public var datagramsDroppedClosed: UInt64 = 0
    /// Received datagrams dropped because nobody took them, or not before the session ended.
    public var datagramsUnclaimed: UInt64 = 0

    /// What the transport knows of the path; nil when it knows nothing.
    public var path: WebTransportPathStatistics?

    /// All zero.
    public init() {}
}
