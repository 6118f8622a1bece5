// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQProtocol
import MoQWire
import PacketLoop

/// Ties a request to the stream that carries it, and hides what the drafts disagree about: whether that stream is its
/// own, and whether a request is cancelled by a message or by the end of the stream. Loop only.
final class RequestLink {
    /// The session.
    let session: MoQSession
    /// The id of the request.
    let id: RequestID
    /// What kind of request it is.
    let kind: RequestKind
    /// Whether this side made the request.
    let isOurs: Bool
    /// The stream: the request's own, or the control stream.
    let stream: MessageStream
    /// The namespace or prefix that the request is about, where it is about one.
    let namespace: TrackNamespace?
    /// Whether the request is in the session's table.
    private(set) var isRegistered = true
    private var isFinished = false
    private var hasSentGoaway = false
    /// Runs until the peer has to have moved the request.
    private var goawayTimer: LoopTimer?

    init(
        session: MoQSession,
        id: RequestID,
        kind: RequestKind,
        isOurs: Bool,
        stream: MessageStream,
        namespace: TrackNamespace?
    ) {
        self.session = session
        self.id = id
        self.kind = kind
        self.isOurs = isOurs
        self.stream = stream
        self.namespace = namespace
    }

    /// Sends a message of this request. Returns false when the draft cannot say it; nothing was sent then.
    @discardableResult
    func send(_ message: MoQMessage) -> Bool {
        guard !self.isFinished else {
            return false
        }
        return self.session.send(message, on: self.stream)
    }

    /// Refuses the request and forgets it. When it may be made again, or where to, is said where the draft has a field for
    /// it.
    func refuse(
        _ code: RequestErrorCode,
        reason: String,
        retryAfter: UInt64? = nil,
        redirect: Redirect? = nil
    ) {
        var redirect = self.session.profile.hasRedirect ? redirect : nil
        if self.session.role == .client {
            // Only a server may say where to connect to (draft-18 §10.6.1).
            redirect?.connectURI = ""
        }
        if self.namespace != nil {
            redirect?.name = []
        }
        let code = code == .redirect && redirect == nil ? RequestErrorCode.internalError : code
        let error = RequestError(
            requestID: self.id,
            answers: self.kind,
            code: code,
            retryAfter: self.session.profile.messageForm == .fields ? nil : retryAfter,
            reason: ReasonPhrase(reason),
            redirect: redirect
        )
        self.send(.requestError(error))
        self.finish()
        self.retire()
    }

    /// Answers a REQUEST_UPDATE that carried this id with REQUEST_OK, where the draft has an answer.
    func acceptUpdate(_ id: RequestID, largest: Location? = nil) {
        if self.session.profile.updatesAreAnswered {
            self.send(.requestOk(RequestOk(requestID: id, answers: .requestUpdate, largestObject: largest)))
        }
        self.session.peerRequestEnded()
    }

    /// Answers a REQUEST_UPDATE that carried this id with REQUEST_ERROR, where the draft has an answer.
    func refuseUpdate(_ id: RequestID, _ code: RequestErrorCode, reason: String) {
        if self.session.profile.updatesAreAnswered {
            let error = RequestError(
                requestID: id,
                answers: .requestUpdate,
                code: code,
                reason: ReasonPhrase(reason)
            )
            self.send(.requestError(error))
        }
        self.session.peerRequestEnded()
    }

    /// Asks the peer to make the request somewhere else, once. When that takes longer than `timeout`, the stream is reset, and
    /// `owner` hears that the peer gave the request up.
    func sendGoaway(_ goaway: Goaway, timeout: Duration?, owner: any SessionRequest) throws(MoQError) {
        guard !self.hasSentGoaway else {
            throw MoQError(code: .invalidState, message: "GOAWAY was sent for the request already")
        }
        do throws(MoQWireError) {
            _ = try self.session.encode(.goaway(goaway))
        } catch {
            throw MoQError(code: .notExpressible, message: error.reason)
        }
        guard self.send(.goaway(goaway)) else {
            throw MoQError(code: .invalidState, message: "the request is over")
        }
        self.hasSentGoaway = true
        guard let timeout, goaway.timeout != 0 else {
            return
        }
        self.goawayTimer = self.session.loop.schedule(after: timeout) { [weak self, weak owner] in
            guard let self, self.isRegistered else {
                return
            }
            self.stream.abort(.goingAway)
            owner?.peerCancelled()
        }
    }

    /// Nothing more will be sent for the request: its own stream gets a FIN.
    func finish() {
        guard !self.isFinished else {
            return
        }
        self.isFinished = true
        if self.stream.isRequestStream {
            self.stream.finish()
        }
    }

    /// The request is over for both sides: the session forgets it.
    func retire() {
        guard self.isRegistered else {
            return
        }
        self.isRegistered = false
        self.goawayTimer?.cancel()
        self.goawayTimer = nil
        self.session.retire(self)
    }

    /// Gives the request up from this side, in the way of the draft, and forgets it.
    ///
    /// `requestCode` and `reason` go out where a draft has a message for the case that carries them.
    func cancel(
        _ code: StreamResetCode = .cancelled,
        requestCode: RequestErrorCode = .uninterested,
        reason: String = ""
    ) {
        if self.stream.isRequestStream {
            self.stream.abort(code)
        } else if !self.isFinished {
            switch (self.kind, self.isOurs) {
            case (.subscribe, true), (.publish, false):
                self.send(.unsubscribe(Unsubscribe(requestID: self.id)))
            case (.fetch, true):
                self.send(.fetchCancel(FetchCancel(requestID: self.id)))
            case (.publishNamespace, true):
                self.send(
                    .publishNamespaceDone(PublishNamespaceDone(requestID: self.id, namespace: self.namespace))
                )
            case (.subscribeNamespace, true):
                self.send(.unsubscribeNamespace(UnsubscribeNamespace(prefix: self.namespace ?? TrackNamespace())))
            case (.publishNamespace, false):
                let message = PublishNamespaceCancel(
                    requestID: self.id,
                    namespace: self.namespace,
                    code: requestCode,
                    reason: ReasonPhrase(reason)
                )
                self.send(.publishNamespaceCancel(message))
            default:
                break
            }
        }
        self.isFinished = true
        self.retire()
    }
}
