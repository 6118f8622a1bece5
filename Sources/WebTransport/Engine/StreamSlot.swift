// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// The place of one stream in its manager: both directions, as far as they are not done.
struct StreamSlot {
    /// Counts the streams that had this slot; what names an older one is stale.
    var generation: UInt32 = 1
    /// The number of the stream, while there is one.
    var id = StreamID(rawValue: 0)
    /// Whether the peer opened the stream.
    var isOfPeer = false
    /// This side's direction.
    var send: SendStream?
    /// The peer's direction.
    var receive: ReceiveStream?

    /// Whether the slot can be given to another stream.
    var isFree: Bool { self.send == nil && self.receive == nil }
}
