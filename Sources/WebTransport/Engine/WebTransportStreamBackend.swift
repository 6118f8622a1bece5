// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What the stream manager needs of a transport. Calls come on the loop and must not call back into the manager.
public protocol WebTransportStreamBackend: AnyObject {
    /// The loop's clock in microseconds.
    var currentTime: UInt64 { get }

    /// The size of the largest datagram that can be sent now; 0 when the peer takes none.
    var maximumDatagramSize: Int { get }

    /// Reserves the next stream number and keeps `token` with it.
    ///
    /// - Throws: `streamLimit` or `transport` when there is no stream to be had.
    func openStream(
        unidirectional: Bool,
        priority: StreamPriority,
        token: StreamToken
    ) throws(WebTransportError) -> StreamID

    /// How many more streams of a kind the peer lets this side open now.
    func streamCredit(unidirectional: Bool) -> UInt64

    /// Somebody waits until the peer allows more streams of a kind: call `streamCreditChanged` once when it does. Called again
    /// as often as somebody begins to wait.
    func awaitStreamCredit(unidirectional: Bool)

    /// The stream has something to send: ask `prepareToSend` when there is room. Called when that becomes true only.
    func streamBecameReady(_ id: StreamID, token: StreamToken)

    /// The stream's place in the sending order changed.
    func setPriority(_ priority: StreamPriority, of id: StreamID, token: StreamToken)

    /// Whether the first `count` bytes of the stream, all of which were handed over, were acknowledged.
    func isAcknowledged(_ count: UInt64, of id: StreamID) -> Bool

    /// Sends RESET_STREAM; nothing more is asked for the stream.
    func resetStream(_ id: StreamID, code: UInt64, token: StreamToken)

    /// Sends STOP_SENDING; what still arrives on the stream may be reported or not, but has to be counted (`discarded`).
    ///
    /// `received` is how many bytes of the stream were reported so far.
    func stopSending(_ id: StreamID, code: UInt64, received: UInt64, token: StreamToken)

    /// Lets the peer send on the stream up to this offset.
    ///
    /// `received` is how many bytes of the stream were reported so far.
    func raiseReceiveLimit(of id: StreamID, to limit: UInt64, received: UInt64, token: StreamToken)

    /// Lets the peer send up to this many bytes over all streams.
    func raiseSessionReceiveLimit(to limit: UInt64)

    /// There are datagrams: ask `prepareDatagram` when there is room. Called when that becomes true only.
    func datagramsBecameReady()

    /// Both directions of the stream are done here, and the token is stale from now on.
    func streamRetired(_ id: StreamID, token: StreamToken)

    /// Tells the peer that this side opens no more streams, if the transport has a signal for it; its manager then hears
    /// `peerIsDraining`. Called at most once.
    func drainTransport()

    /// Tells the peer that the session is over. Called at most once, before anybody else is told.
    func closeTransport(code: UInt64, reason: String)
}
