// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Is told what happens to a session; called on the loop, synchronously.
///
/// Every method may call anything: close the session, open and reset streams, drop the last reference to either.
public protocol WebTransportHandler: AnyObject {
    /// The peer opened a unidirectional stream and its first bytes are here.
    ///
    /// Called once per stream. Install `reader` inside; the bytes are delivered right after this returns.
    func transport(_ transport: any WebTransportSession, didOpen stream: ReceiveStream)

    /// The peer opened a bidirectional stream and its first bytes are here; otherwise the same.
    func transport(_ transport: any WebTransportSession, didOpen stream: BidirectionalStream)

    /// A datagram arrived, complete. The bytes are valid during the call only.
    func transport(_ transport: any WebTransportSession, didReceiveDatagram bytes: RawSpan)

    /// `isConfirmed` has become true. Not called for sessions that begin so.
    func transportDidConfirm(_ transport: any WebTransportSession)

    /// The peer is draining the session: it opens no more streams, and would like this side to come to an end as well.
    ///
    /// Comes at most once, and only from transports that have a signal for it: raw QUIC has none, there the application's
    /// own (GOAWAY in MoQ) says it. By default nothing is done.
    func transportPeerIsDraining(_ transport: any WebTransportSession)

    /// The session is over. Called exactly once, after every stream was told, and nothing comes after it.
    func transport(_ transport: any WebTransportSession, didClose info: WebTransportCloseInfo)
}

extension WebTransportHandler {
    /// Nothing: for handlers to which it makes no difference.
    public func transportDidConfirm(_ transport: any WebTransportSession) {}

    /// Does nothing.
    public func transportPeerIsDraining(_ transport: any WebTransportSession) {}
}
