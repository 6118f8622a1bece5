// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQProtocol
internal import MoQWire
internal import WebTransport

// Control streams: setup, the messages of the session as a whole, and where each message of a request goes.
extension MoQSession {
    /// The most bytes that may wait on one control or request stream. A peer that lets more pile up does not read.
    static let maximumQueuedControlBytes = 4 << 20

    /// Whether the next bidirectional stream of the peer may be the control stream.
    var awaitsControlStream: Bool {
        self.profile.controlShape == .singleBidirectional && self.role == .server && self.peerControl == nil
    }

    /// What this side says in SETUP.
    private var ownSetup: MoQMessage {
        var options = self.configuration.setup
        options.maxRequestID = self.ledger.initialLimit
        options.versions = self.profile.setupNegotiatesVersion ? [self.profile.version.setupNumber] : []
        if self.role == .server || self.transport.carriesURI {
            options.path = nil
            options.authority = nil
        }
        return .setup(Setup(options: options))
    }

    /// Opens the stream that our control messages go out on, and sends SETUP.
    func openControlStream() {
        do throws(WebTransportError) {
            let stream: MessageStream
            switch self.profile.controlShape {
            case .singleBidirectional:
                let pair = try self.transport.openBidirectionalStream(priority: .control)
                stream = MessageStream(
                    session: self,
                    output: pair.send,
                    input: pair.receive,
                    purpose: .control,
                    isOpenedByUs: true
                )
                self.peerControl = stream
            case .pairWithRequestStreams:
                stream = MessageStream(
                    session: self,
                    output: try self.transport.openUnidirectionalStream(priority: .control),
                    input: nil,
                    purpose: .control,
                    isOpenedByUs: true
                )
            }
            self.control = stream
            stream.activate()
            self.send(self.ownSetup, on: stream)
        } catch {
            self.close(.internalError, reason: "no control stream: \(error)")
        }
    }

    /// Sends a message. Returns false when nothing was sent: the session or the stream is over, or the draft cannot
    /// say it.
    @discardableResult
    func send(_ message: MoQMessage, on stream: MessageStream) -> Bool {
        guard self.isOpen else {
            return false
        }
        do throws(MoQWireError) {
            let bytes = try self.encode(message)
            guard stream.queuedByteCount + bytes.count <= Self.maximumQueuedControlBytes else {
                self.close(.internalError, reason: "the peer does not read its control messages")
                return false
            }
            do throws(WebTransportError) {
                try stream.write(bytes)
            } catch {
                return false
            }
            self.totals.messagesSent &+= 1
            return true
        } catch {
            return false
        }
    }

    /// The bytes of a message in the draft of the session.
    func encode(_ message: MoQMessage) throws(MoQWireError) -> [UInt8] {
        try self.messages.encode(message)
    }

    /// The first message in the bytes and its length, or nil when it is not complete.
    func decode(_ bytes: RawSpan, context: StreamContext) throws(MoQWireError) -> (MoQMessage, Int)? {
        switch try self.messages.decode(bytes, on: context) {
        case .needMore:
            return nil
        case .message(let message, let consumed):
            return (message, consumed)
        }
    }

    /// A control message arrived.
    func countReceivedMessage() {
        self.totals.messagesReceived &+= 1
    }

    /// A message arrived for a request that is over.
    func countLateMessage() {
        self.totals.lateMessages &+= 1
    }

    /// Whether requests may be acted on: the setup is complete, and the peer is no copy of an earlier one.
    var takesRequests: Bool {
        self.state == .established && self.transport.isConfirmed
    }

    /// Reads what had to wait, now that nothing stands in the way.
    func releaseHeldRequests() {
        guard self.takesRequests else {
            return
        }
        let held = self.heldRequests
        self.heldRequests = []
        for stream in held where self.isOpen {
            stream.resumeHeld()
        }
    }

    /// A stream has to wait until requests are taken. Returns false when too many do.
    func hold(_ stream: MessageStream) -> Bool {
        guard self.heldRequests.count < self.configuration.maxHeldStreams else {
            return false
        }
        self.heldRequests.append(stream)
        return true
    }

    // MARK: Messages

    /// The first message of a bidirectional stream of the peer.
    func receiveFirst(_ message: MoQMessage, on stream: MessageStream) throws(ProtocolViolation) {
        if case .setup = message {
            stream.becomeControl()
            self.firstMessageCame()
            self.control = stream
            self.peerControl = stream
            try self.receiveControl(message, on: stream)
            return
        }
        guard let kind = message.requestKind, let id = message.requestID else {
            throw .protocolViolation("bidirectional stream that begins with no request")
        }
        stream.begin(kind, id: id)
        self.firstMessageCame()
        try self.receiveRequest(message, on: stream)
    }

    /// A message on a control stream.
    func receiveControl(_ message: MoQMessage, on stream: MessageStream) throws(ProtocolViolation) {
        if case .setup(let setup) = message {
            try self.receiveSetup(setup.options)
            return
        }
        guard self.state == .established else {
            throw .protocolViolation("control message before SETUP")
        }
        switch message {
        case .goaway(let goaway):
            try self.machine.receivedGoaway(goaway)
            self.failWaiting(MoQError(code: .goingAway, message: "the peer sent GOAWAY"))
            let said = SessionGoaway(goaway)
            self.peerGoaway = said
            self.tellGoaway(.success(said))
            self.handler?.session(self, didReceiveGoaway: said.newSessionURI, timeout: said.timeout)
        case .maxRequestID(let message):
            try self.allocator.raise(to: message.maximum)
            self.launchWaiting()
        case .requestsBlocked:
            // Nothing to do: the limit rises by itself as requests end.
            break
        case .subscribe, .publish, .publishNamespace, .subscribeNamespace, .subscribeTracks, .fetch, .trackStatus:
            try self.receiveRequest(message, on: stream)
        case .requestUpdate(let update):
            try self.receiveUpdate(update, on: stream)
        case .publishNamespaceDone, .publishNamespaceCancel, .unsubscribeNamespace:
            try self.receiveAboutNamespace(message)
        default:
            try self.receiveForRequest(message)
        }
    }

    /// A GOAWAY on the stream of a request, which is about that one alone.
    func receivedGoaway(_ goaway: Goaway, for request: RequestID) {
        self.handler?.session(self, didReceiveGoaway: SessionGoaway(goaway), for: request)
    }

    private func receiveSetup(_ options: SetupOptions) throws(ProtocolViolation) {
        let action = try self.machine.receivedSetup(options)
        try self.authorizeSession(options)
        self.cancelSetupTimer()
        self.peerSetup = options
        if self.profile.hasRequestLimit {
            self.allocator.setInitialLimit(options.maxRequestID ?? RequestID(0))
        }
        if action.sendSetup, let control = self.control {
            self.send(self.ownSetup, on: control)
        }
        self.tokenRegistry.setUp(
            limit: options.maxAuthTokenCacheSize ?? 0,
            registered: self.configuration.setup.tokens,
            isOnControlStream: self.profile.controlShape == .singleBidirectional
        )
        self.handler?.sessionDidSetUp(self)
        self.releaseHeldRequests()
        self.launchWaiting()
    }

    /// A REQUEST_UPDATE on the control stream: it names the request that it changes.
    private func receiveUpdate(_ update: RequestUpdate, on stream: MessageStream) throws(ProtocolViolation) {
        try self.checkPeerRequest(update.requestID)
        guard let existing = update.existingRequestID else {
            throw .protocolViolation("REQUEST_UPDATE without a request")
        }
        var message = MoQMessage.requestUpdate(update)
        try self.resolveTokens(of: &message)
        if let request = self.requests[existing] {
            guard self.profile.updatesAreAnswered || request is TrackPublisher else {
                throw .protocolViolation("update of request \(existing), which is no subscription")
            }
            try request.receive(message)
            return
        }
        guard self.ledger.hasSeen(existing) || self.allocator.hasIssued(existing) else {
            throw .protocolViolation("REQUEST_UPDATE for request \(existing), which does not exist")
        }
        // The request ended while the update was on its way.
        self.totals.lateMessages &+= 1
        if self.profile.updatesAreAnswered {
            let error = RequestError(requestID: update.requestID, answers: .requestUpdate, code: .doesNotExist)
            self.send(.requestError(error), on: stream)
        }
        self.peerRequestEnded()
    }

    /// A message on the control stream that answers or follows a request.
    private func receiveForRequest(_ message: MoQMessage) throws(ProtocolViolation) {
        guard let id = message.requestID else {
            throw .protocolViolation("message that does not belong on a control stream")
        }
        if let owner = self.updates.removeValue(forKey: id) {
            self.tokenRegistry.answered(id)
            try owner.receive(message)
            return
        }
        guard let request = self.requests[id] else {
            guard self.allocator.hasIssued(id) || self.ledger.hasSeen(id) else {
                throw .protocolViolation("message for request \(id), which does not exist")
            }
            self.totals.lateMessages &+= 1
            if case .subscribeOk(let ok) = message {
                // The subscription was cancelled while the answer was on its way: nobody waits for its streams.
                self.retireAlias(ok.trackAlias)
            }
            return
        }
        if let answered = message.answeredKind {
            guard let own = request as? any OutgoingRequest, id.issuer == self.role, own.kind == answered else {
                throw .protocolViolation("answer to another kind of request than \(id)")
            }
        }
        if id.issuer == self.role {
            self.tokenRegistry.answered(id)
        }
        try request.receive(message)
    }

    /// A message that ends what a request about a namespace began, and names the one or the other.
    private func receiveAboutNamespace(_ message: MoQMessage) throws(ProtocolViolation) {
        guard self.profile.namespacesStandForRequests else {
            try self.receiveForRequest(message)
            return
        }
        let id: RequestID? =
            switch message {
            case .publishNamespaceDone(let done): done.namespace.flatMap { self.announcements[self.role.peer]?[$0] }
            case .publishNamespaceCancel(let cancel): cancel.namespace.flatMap { self.announcements[self.role]?[$0] }
            case .unsubscribeNamespace(let end): self.peerPrefixes.first { $0.value.prefix == end.prefix }?.key
            default: nil
            }
        guard let id, let request = self.requests[id] else {
            // It crossed the end of the request from this side, or there was none; a namespace does not tell.
            self.totals.lateMessages &+= 1
            return
        }
        try request.receive(message)
    }
}

extension SessionGoaway {
    /// What a GOAWAY of the peer says.
    fileprivate init(_ goaway: Goaway) {
        self.newSessionURI = goaway.newSessionURI.isEmpty ? nil : goaway.newSessionURI
        self.timeout = goaway.timeout.flatMap { $0 == 0 ? nil : Duration.clamped(milliseconds: $0) }
    }
}

extension MoQMessage {
    /// The kind of request that the message answers, where the message itself says so.
    fileprivate var answeredKind: RequestKind? {
        switch self {
        case .requestOk(let ok): ok.answers
        case .requestError(let error): error.answers
        default: nil
        }
    }

    /// The namespace that a request is about, where it is about one.
    var namespace: TrackNamespace? {
        switch self {
        case .publishNamespace(let message): message.namespace
        case .subscribeNamespace(let message): message.prefix
        case .subscribeTracks(let message): message.prefix
        default: nil
        }
    }
}
