// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import WebTransport

/// What crosses from one loop to another, in the order in which it happened.
enum LoopBridgeItem: Sendable {
    /// A stream begins.
    case open(StreamID)
    /// The next bytes of a stream, by reference, and perhaps its end.
    case stream(StreamID, [Bytes], isFinal: Bool)
    case resetStream(StreamID, code: UInt64)
    case stopSending(StreamID, code: UInt64)
    /// A stream may be sent up to this offset.
    case maxStreamData(StreamID, limit: UInt64)
    /// All streams together may be sent up to this sum.
    case maxData(limit: UInt64)
    /// So many streams of the other side are done, and may be replaced.
    case streamsRetired(isUnidirectional: Bool, count: Int)
    case datagrams([Bytes])
    /// So many datagrams were taken.
    case datagramsTaken(Int)
    /// The loop has come to so much of streams (see ``LoopBridgeItem/cost(of:)``).
    case bytesTaken(Int)
    case drain
    /// The session is over, because the other side closed it.
    case close(code: UInt64, reason: String)
    /// The other side is not there any more.
    case gone

    /// What a piece of a stream with so many bytes counts while it is under way.
    static func cost(of count: Int) -> Int {
        count &+ 256
    }
}

/// The sending half of one stream at one end of a bridge.
final class LoopBridgeStream {
    let id: StreamID
    let token: StreamToken
    var priority: StreamPriority
    /// How much was sent, and how much the other side allows.
    var offset: UInt64 = 0
    var limit: UInt64
    /// Whether the other side knows of the stream.
    var isAnnounced: Bool
    /// Whether the other side allows one more stream for this one.
    var hasCredit: Bool
    /// The codes of a reset, and of a stop of the other direction, that wait for the credit.
    var heldReset: UInt64?
    var heldStop: UInt64?
    /// Whether the manager said that there is something to send.
    var isReady = false
    /// Whether it is out of the list of those because its window is used up.
    var isParked = false
    /// Whether the stream may have nothing left but its end, which needs no window.
    var mayHaveOnlyEnd = false

    /// `isAnnounced` for a stream that the other side opened.
    init(
        id: StreamID,
        token: StreamToken,
        priority: StreamPriority,
        limit: UInt64,
        isAnnounced: Bool,
        hasCredit: Bool
    ) {
        self.id = id
        self.token = token
        self.priority = priority
        self.limit = limit
        self.isAnnounced = isAnnounced
        self.hasCredit = hasCredit
    }
}
