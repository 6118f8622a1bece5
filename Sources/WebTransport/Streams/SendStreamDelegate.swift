// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Is told what becomes of a send stream; called on the loop, synchronously, and free to call anything.
///
/// A stream ends with at most one of `peerStoppedSending` and `sendStreamDidComplete`; after a local `reset` neither
/// comes.
public protocol SendStreamDelegate: AnyObject {
    /// The transport is about to take bytes, after which the queue is down to the low watermark (having been above the high
    /// one) or empty, unless ``SendStream/tellsWhenEmpty`` says otherwise. What is written inside may leave in the same packet.
    func sendStreamDidDrain(_ stream: SendStream)

    /// The peer does not want the rest (STOP_SENDING). The stream has been reset with the same code already.
    func sendStream(_ stream: SendStream, peerStoppedSending code: UInt64)

    /// All bytes and the end were delivered (`isDelivered`), or the session is over.
    ///
    /// QUIC libraries report delivery per stream: of a bidirectional stream it may be known only when the peer's direction
    /// has ended as well.
    func sendStreamDidComplete(_ stream: SendStream)
}
