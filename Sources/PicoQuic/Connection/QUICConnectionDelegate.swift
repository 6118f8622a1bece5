// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Hears what happens on a connection: synchronously, on the loop, inside the library's callbacks.
///
/// Every method may call any method of the connection, close it included. Bytes are valid only during the call. Stream
/// tokens are what ``QUICConnection/reserve(stream:token:)`` was given; 0 for a stream that has none yet.
public protocol QUICConnectionDelegate: AnyObject {
    /// The handshake has got so far that the application protocol is known and data may be sent.
    func connectionIsAlmostReady(_ connection: QUICConnection)

    /// The handshake is complete on both sides.
    func connectionIsReady(_ connection: QUICConnection)

    /// Bytes have arrived in order, the end of the stream, or both. Bytes may be empty.
    func connection(
        _ connection: QUICConnection,
        stream: UInt64,
        token: UInt64,
        didReceive bytes: RawSpan,
        isFinished: Bool
    )

    /// The peer gave up sending on the stream (RESET_STREAM).
    func connection(_ connection: QUICConnection, stream: UInt64, token: UInt64, wasResetWith code: UInt64)

    /// The peer wants nothing more on the stream (STOP_SENDING). RFC 9000 section 3.5 requires that it is reset.
    func connection(_ connection: QUICConnection, stream: UInt64, token: UInt64, peerStoppedSendingWith code: UInt64)

    /// There is room for the stream's bytes in a packet. The slot is answered during the call; an unanswered slot
    /// counts as "nothing to send for now".
    func connection(
        _ connection: QUICConnection,
        stream: UInt64,
        token: UInt64,
        prepareToSend slot: inout QUICStreamSlot
    )

    /// There is room for a datagram in a packet.
    func connection(_ connection: QUICConnection, prepareDatagram slot: inout QUICDatagramSlot)

    /// A datagram has arrived.
    func connection(_ connection: QUICConnection, didReceiveDatagram bytes: RawSpan)

    /// The library has forgotten the stream: both directions are over and everything sent is acknowledged. The token is
    /// not heard of again.
    func connection(_ connection: QUICConnection, stream: UInt64, wasReleasedWithToken token: UInt64)

    /// The connection is over. Called exactly once, last. After a close by the peer it comes at once; after a local
    /// close, when the library is done with the connection.
    func connection(_ connection: QUICConnection, didClose info: QUICCloseInfo)
}
