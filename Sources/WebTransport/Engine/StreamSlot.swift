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

// Looked up here and not in the manager, so that one look is one access to its slots.
extension [StreamSlot] {
    /// The slot that a token names, if it still is the stream's that the token was made for.
    func index(of token: StreamToken) -> Int? {
        let index = token.index
        return index >= 0 && index < self.count && self[index].generation == token.generation ? index : nil
    }

    /// The sending direction of the stream that a token names.
    func sendStream(for token: StreamToken) -> SendStream? {
        self.index(of: token).flatMap { self[$0].send }
    }

    /// The same, taken out of its slot: without a reference more it has to be put back before anybody is called.
    mutating func takeSendStream(for token: StreamToken) -> SendStream? {
        guard let index = self.index(of: token) else { return nil }
        return self[index].send.take()
    }

    /// The receiving direction of the stream that a token names.
    func receiveStream(for token: StreamToken) -> ReceiveStream? {
        self.index(of: token).flatMap { self[$0].receive }
    }
}
