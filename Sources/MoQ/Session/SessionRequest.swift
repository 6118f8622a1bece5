// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQProtocol
import MoQWire

/// A request of either side, from its first message to its last, as the session sees it. Loop only.
protocol SessionRequest: AnyObject {
    /// A message that answers or follows the request, and is allowed on its stream.
    func receive(_ message: MoQMessage) throws(ProtocolViolation)
    /// The peer will send nothing more on the request's own stream.
    func peerFinished()
    /// The peer gave the request up: it reset or stopped the request's own stream, or sent the message for that.
    func peerCancelled()
    /// The request's own stream has room again.
    func streamDidDrain()
    /// The session is over. The session has forgotten the request already.
    func sessionClosed(_ closure: MoQSessionClosure)
    /// The way to the peer of a request that the peer has made and this side has accepted; nil of any other.
    var acceptedLink: RequestLink? { get }
}

extension SessionRequest {
    /// Does nothing: most requests say little.
    func streamDidDrain() {}

    /// Nil: the request is one of this side, or ends with its answer.
    var acceptedLink: RequestLink? {
        nil
    }
}

/// A request of ours, which may have to wait for the setup or for the peer's permission before it goes out.
protocol OutgoingRequest: SessionRequest {
    /// What kind of request it is.
    var kind: RequestKind { get }
    /// The track that it is about; nil when it is about none.
    var requestedTrack: FullTrackName? { get }
    /// Whether it was cancelled while it waited.
    var isWithdrawn: Bool { get }
    /// The message that makes the request.
    func openingMessage(id: RequestID) -> MoQMessage
    /// The request got its id and its stream; the opening message follows right after.
    func launched(_ link: RequestLink)
    /// The request cannot be made.
    func launchFailed(_ error: MoQError)
}

extension OutgoingRequest {
    var requestedTrack: FullTrackName? {
        nil
    }
}
