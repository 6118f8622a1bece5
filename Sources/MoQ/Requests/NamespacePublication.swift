// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQProtocol
public import MoQWire

/// A namespace that this side has announced. Loop only.
public final class NamespacePublication {
    /// The namespace.
    public let namespace: TrackNamespace
    /// The session it was announced in.
    public let session: MoQSession
    /// Called once when the peer revokes an announcement that it had accepted, with its code where it gave one, or when
    /// the session closes. Not called after ``withdraw()``.
    public var onCancelled: ((RequestErrorCode?, String) -> Void)?

    private let tokens: [AuthorizationToken]
    private var machine = AnnouncementMachine()
    private var link: RequestLink?
    private var response: ((Result<Void, MoQError>) -> Void)?

    init(
        session: MoQSession,
        namespace: TrackNamespace,
        tokens: [AuthorizationToken],
        response: @escaping (Result<Void, MoQError>) -> Void
    ) {
        self.session = session
        self.namespace = namespace
        self.tokens = tokens
        self.response = response
    }

    /// Whether the peer has accepted the announcement and it stands.
    public var isEstablished: Bool {
        self.machine.state == .established
    }

    /// Takes the announcement back. Before the answer, the response fails with ``MoQError/Code/cancelled``.
    public func withdraw() {
        let state = self.machine.ended()
        guard state != .ended else {
            return
        }
        self.onCancelled = nil
        if let link = self.link {
            link.cancel()
        } else {
            self.session.withdraw(self)
        }
        if state == .pending {
            self.respond(.failure(MoQError(code: .cancelled, message: "the announcement was withdrawn")))
        }
    }

    /// Whether the announcement was refused, withdrawn or revoked.
    var isEnded: Bool {
        self.machine.state == .ended
    }

    /// Lets the announcement go without a word: the peer does not want to hear of it any more.
    func forget() {
        let state = self.machine.ended()
        guard state != .ended else {
            return
        }
        self.onCancelled = nil
        if let link = self.link {
            link.retire()
        } else {
            self.session.withdraw(self)
        }
        if state == .pending {
            self.respond(.failure(MoQError(code: .cancelled, message: "the announcement is not wanted any more")))
        }
    }

    private func respond(_ result: Result<Void, MoQError>) {
        let response = self.response
        self.response = nil
        response?(result)
    }

    private func tellCancelled(_ code: RequestErrorCode?, _ reason: String) {
        let onCancelled = self.onCancelled
        self.onCancelled = nil
        onCancelled?(code, reason)
    }

    private func lost(_ code: RequestErrorCode?, _ reason: String) {
        switch self.machine.ended() {
        case .pending:
            self.respond(.failure(MoQError(code: .cancelledByPeer, message: reason, requestError: code)))
        case .established:
            self.tellCancelled(code, reason)
        case .ended:
            break
        }
    }
}

extension NamespacePublication: OutgoingRequest {
    var kind: RequestKind {
        .publishNamespace
    }

    var isWithdrawn: Bool {
        self.machine.state == .ended
    }

    func openingMessage(id: RequestID) -> MoQMessage {
        .publishNamespace(PublishNamespace(requestID: id, namespace: self.namespace, tokens: self.tokens))
    }

    func launched(_ link: RequestLink) {
        self.link = link
    }

    func launchFailed(_ error: MoQError) {
        if self.machine.ended() == .pending {
            self.respond(.failure(error))
        }
    }

    func receive(_ message: MoQMessage) throws(ProtocolViolation) {
        switch message {
        case .requestOk:
            try self.machine.receivedOk()
            self.respond(.success(()))
        case .requestError(let error):
            try self.machine.receivedError()
            self.link?.finish()
            self.link?.retire()
            self.respond(.failure(MoQError(error)))
        case .publishNamespaceCancel(let cancel):
            self.link?.retire()
            self.lost(cancel.code, cancel.reason.text)
        case .requestUpdate(let update):
            self.link?.refuseUpdate(update.requestID, .notSupported, reason: "not the sender of the request")
        default:
            throw .protocolViolation("message that does not belong to a PUBLISH_NAMESPACE")
        }
    }

    func peerFinished() {
        // After the answer a FIN takes nothing back: that takes the abrupt end of the stream (draft-18 §6.2).
        guard self.machine.state == .pending else {
            return
        }
        self.link?.finish()
        self.link?.retire()
        self.lost(nil, "the peer closed the request without an answer")
    }

    func peerCancelled() {
        self.link?.retire()
        self.lost(nil, "the peer cancelled the request")
    }

    func sessionClosed(_ closure: MoQSessionClosure) {
        self.link?.retire()
        switch self.machine.ended() {
        case .pending:
            self.respond(.failure(MoQError(closure)))
        case .established:
            self.tellCancelled(nil, "session closed: \(closure)")
        case .ended:
            break
        }
    }
}
