// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQProtocol
public import MoQWire

/// A question of this side about a track (draft-18 §10.14, "TRACK_STATUS"). Loop only.
///
/// It need not be kept: the session keeps it until it is answered.
public final class TrackStatusQuery {
    /// The track.
    public let track: FullTrackName
    /// The session.
    public let session: MoQSession

    private let tokens: [AuthorizationToken]
    private var link: RequestLink?
    /// Who waits for the answer; nobody once it is over.
    private var response: ((Result<RequestOk, MoQError>) -> Void)?

    init(
        session: MoQSession,
        track: FullTrackName,
        tokens: [AuthorizationToken],
        response: @escaping (Result<RequestOk, MoQError>) -> Void
    ) {
        self.session = session
        self.track = track
        self.tokens = tokens
        self.response = response
    }

    /// Whether the question waits for its answer.
    public var isPending: Bool {
        self.response != nil
    }

    /// Takes the question back: the response fails with ``MoQError/Code/cancelled`` before this returns.
    public func cancel() {
        guard self.isPending else {
            return
        }
        if let link = self.link {
            link.cancel()
        } else {
            self.session.withdraw(self)
        }
        self.respond(.failure(MoQError(code: .cancelled, message: "the question was taken back")))
    }

    private func respond(_ result: Result<RequestOk, MoQError>) {
        let response = self.response
        self.response = nil
        response?(result)
    }

    private func answered(_ result: Result<RequestOk, MoQError>) {
        self.link?.finish()
        self.link?.retire()
        self.respond(result)
    }
}

extension TrackStatusQuery: OutgoingRequest {
    var kind: RequestKind {
        .trackStatus
    }

    var isWithdrawn: Bool {
        !self.isPending
    }

    func openingMessage(id: RequestID) -> MoQMessage {
        .trackStatus(TrackStatus(requestID: id, track: self.track, tokens: self.tokens))
    }

    func launched(_ link: RequestLink) {
        self.link = link
    }

    func launchFailed(_ error: MoQError) {
        self.respond(.failure(error))
    }

    func receive(_ message: MoQMessage) throws(ProtocolViolation) {
        switch message {
        case .requestOk(let ok):
            self.answered(.success(ok))
        case .requestError(let error):
            self.answered(.failure(MoQError(error)))
        default:
            throw .protocolViolation("message that does not belong to a TRACK_STATUS")
        }
    }

    func peerFinished() {
        self.answered(.failure(MoQError(code: .cancelledByPeer, message: "the publisher closed the request")))
    }

    func peerCancelled() {
        self.link?.retire()
        self.respond(.failure(MoQError(code: .cancelledByPeer, message: "the publisher cancelled the request")))
    }

    func sessionClosed(_ closure: MoQSessionClosure) {
        self.link?.retire()
        self.respond(.failure(MoQError(closure)))
    }
}
