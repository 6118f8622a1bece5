// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import WebTransport

/// The sending half of one stream at one end of a simulated link.
final class OutboundStream {
    let id: StreamID
    let token: StreamToken
    var priority: StreamPriority
    /// How much was sent, and how much the peer allows.
    var offset: UInt64 = 0
    var limit: UInt64
    /// Whether the manager said that there is something to send.
    var isReady = false
    /// Whether the peer's stream limit has not come to this stream yet.
    var waitsForCredit: Bool
    var isFinSent = false
    /// Whether the stream may have nothing left but its end, which needs no window.
    var mayHaveOnlyEnd = false
    /// Frames that are on their way or are to be sent again.
    var unacknowledged = 0
    /// When the stream was served last, for taking turns.
    var lastTurn: UInt64 = 0

    init(id: StreamID, token: StreamToken, priority: StreamPriority, limit: UInt64, waitsForCredit: Bool) {
        self.id = id
        self.token = token
        self.priority = priority
        self.limit = limit
        self.waitsForCredit = waitsForCredit
    }

    /// Whether the stream is to be sent before another one that has the same right to be sent.
    func goesBefore(_ other: OutboundStream) -> Bool {
        if self.priority != other.priority { return self.priority < other.priority }
        if self.priority.isInOrder { return self.id < other.id }
        return (self.lastTurn, self.id) < (other.lastTurn, other.id)
    }
}
