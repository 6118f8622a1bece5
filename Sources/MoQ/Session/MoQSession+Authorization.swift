// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQProtocol
internal import MoQWire

// Tokens, in both directions: what the peer shows for its requests, and what this side shows for its own.
extension MoQSession {
    /// Why a request is not allowed.
    struct Refusal {
        var code: RequestErrorCode
        var reason: String
    }

    // MARK: The peer's

    /// Registers and retires what a request of the peer says, and puts the tokens that its aliases stand for in their place.
    /// Called for every request, before anything else can refuse it, so that later ones may refer to its tokens.
    func resolveTokens(of message: inout MoQMessage) throws(ProtocolViolation) {
        let tokens = message.tokens
        if !tokens.isEmpty {
            message.tokens = try self.tokenCache.resolve(tokens)
        }
    }

    /// The same for SETUP, and whether the peer may have a session at all.
    func authorizeSession(_ options: SetupOptions) throws(ProtocolViolation) {
        let tokens = try self.tokenCache.resolveSetup(options.tokens, of: self.role.peer)
        let request = AuthorizationRequest(operation: .session, credentials: tokens.compactMap(\.credential))
        self.sessionCredentials = request.credentials
        switch self.configuration.authorizer?(request) {
        case nil, .allowed:
            break
        case .unauthorized(let reason):
            throw ProtocolViolation(.unauthorized, reason)
        case .malformedToken(let reason):
            throw ProtocolViolation(.malformedAuthToken, reason)
        case .expiredToken(let reason):
            throw ProtocolViolation(.expiredAuthToken, reason)
        }
    }

    /// Why the peer may not make this request, which is about a track or a namespace; nil when it may.
    func refusal(
        of kind: RequestKind,
        track: FullTrackName? = nil,
        namespace: TrackNamespace? = nil,
        tokens: [AuthorizationToken]
    ) -> Refusal? {
        self.refusal(.request(kind), answering: kind, track: track, namespace: namespace, tokens: tokens)
    }

    /// Why the peer may not change a request in this way; nil when it may. What needs no token is not asked about, unless the
    /// request is about another prefix from then on.
    func refusal(
        of update: RequestUpdate,
        changing kind: RequestKind,
        track: FullTrackName? = nil,
        namespace: TrackNamespace? = nil
    ) -> Refusal? {
        guard !update.tokens.isEmpty || update.namespacePrefix != nil else {
            return nil
        }
        return self.refusal(
            .update(kind),
            answering: .requestUpdate,
            track: track,
            namespace: namespace,
            tokens: update.tokens
        )
    }

    private func refusal(
        _ operation: AuthorizationRequest.Operation,
        answering kind: RequestKind,
        track: FullTrackName?,
        namespace: TrackNamespace?,
        tokens: [AuthorizationToken]
    ) -> Refusal? {
        guard self.configuration.authorizer != nil || tokens.count > 1 else {
            return nil
        }
        let credentials = tokens.compactMap(\.credential)
        var refusal: Refusal?
        if !self.profile.tokensMayRepeat, Set(credentials).count < credentials.count {
            refusal = Refusal(code: .malformedAuthToken, reason: "a token is there twice")
        } else if let authorizer = self.configuration.authorizer {
            refusal = Refusal(
                authorizer(
                    AuthorizationRequest(
                        operation: operation,
                        track: track,
                        namespace: namespace,
                        credentials: credentials,
                        sessionCredentials: self.sessionCredentials
                    )
                )
            )
        }
        guard var refusal else {
            return nil
        }
        self.totals.requestsUnauthorized &+= 1
        if !self.profile.errors.has(refusal.code, answering: kind) {
            // Draft 14 has no codes about tokens in PUBLISH_ERROR.
            refusal.code = .unauthorized
        }
        return refusal
    }

    // MARK: Ours

    /// Puts the tokens of a request of ours, or those that are configured for all, into a form that spares the peer what it
    /// knows. `registry` is what is registered once the request went out.
    ///
    /// - Throws: when the caller refers to an alias, because aliases are the session's own.
    func shortenTokens(of message: inout MoQMessage, _ registry: inout TokenRegistry) throws(MoQWireError) {
        var tokens = message.tokens
        if tokens.isEmpty {
            tokens = self.configuration.requestTokens
        }
        guard let kind = message.requestKind else {
            return
        }
        try self.shorten(tokens, of: &message, onControlStream: !self.profile.hasOwnStream(kind), &registry)
    }

    /// The same for these tokens, which are part of a message on such a stream from then on.
    func shorten(
        _ tokens: [AuthorizationToken],
        of message: inout MoQMessage,
        onControlStream isOnControlStream: Bool,
        _ registry: inout TokenRegistry
    ) throws(MoQWireError) {
        guard !tokens.isEmpty, let id = message.requestID else {
            return
        }
        var credentials: [AuthorizationCredential] = []
        for token in tokens {
            guard let credential = token.credential else {
                throw MoQWireError(
                    kind: .notExpressible,
                    code: .internalError,
                    reason: "the session has the aliases of tokens; give the token itself"
                )
            }
            credentials.append(credential)
        }
        message.tokens = registry.references(
            to: credentials,
            in: id,
            onControlStream: isOnControlStream
        )
    }
}

extension MoQSession.Refusal {
    fileprivate init?(_ decision: AuthorizationDecision) {
        switch decision {
        case .allowed:
            return nil
        case .unauthorized(let reason):
            self.init(code: .unauthorized, reason: reason)
        case .malformedToken(let reason):
            self.init(code: .malformedAuthToken, reason: reason)
        case .expiredToken(let reason):
            self.init(code: .expiredAuthToken, reason: reason)
        }
    }
}

extension MoQMessage {
    /// The tokens of a request. Setting them does nothing where there can be none.
    fileprivate(set) var tokens: [AuthorizationToken] {
        get {
            switch self {
            case .subscribe(let message): message.tokens
            case .publish(let message): message.tokens
            case .fetch(let message): message.tokens
            case .trackStatus(let message): message.tokens
            case .publishNamespace(let message): message.tokens
            case .subscribeNamespace(let message): message.tokens
            case .subscribeTracks(let message): message.tokens
            case .requestUpdate(let message): message.tokens
            default: []
            }
        }
        set {
            switch self {
            case .subscribe(var message):
                message.tokens = newValue
                self = .subscribe(message)
            case .publish(var message):
                message.tokens = newValue
                self = .publish(message)
            case .fetch(var message):
                message.tokens = newValue
                self = .fetch(message)
            case .trackStatus(var message):
                message.tokens = newValue
                self = .trackStatus(message)
            case .publishNamespace(var message):
                message.tokens = newValue
                self = .publishNamespace(message)
            case .subscribeNamespace(var message):
                message.tokens = newValue
                self = .subscribeNamespace(message)
            case .subscribeTracks(var message):
                message.tokens = newValue
                self = .subscribeTracks(message)
            case .requestUpdate(var message):
                message.tokens = newValue
                self = .requestUpdate(message)
            default:
                break
            }
        }
    }
}
