// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Takes the bytes of a receive stream; called on the loop, synchronously, and free to call anything.
public protocol ReceiveStreamReader: AnyObject {
    /// Bytes are here, in order; `isFinished` says that these are the last.
    ///
    /// What was kept can come in several calls: in one piece is as much as the reader has shown to need, by leaving it.
    ///
    /// Returns how many leading bytes were consumed. The others are kept and presented again in front of new data, after
    /// `resume` or to a new reader; when `isFinished` they are dropped. Bytes are valid during the call only. Zero bytes come
    /// only with `isFinished`. Windows reopen by what was consumed: a reader that waits for more bytes than the stream's
    /// window waits for ever.
    func receiveStream(_ stream: ReceiveStream, didReceive bytes: RawSpan, isFinished: Bool) -> Int

    /// The peer gave up the stream (RESET_STREAM). Bytes not consumed are gone; nothing comes after it.
    func receiveStream(_ stream: ReceiveStream, wasResetWith code: UInt64)

    /// The session ended before the stream did. Nothing comes after it.
    func receiveStreamSessionClosed(_ stream: ReceiveStream)
}
