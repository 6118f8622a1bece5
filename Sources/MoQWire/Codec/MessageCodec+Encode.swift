// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

extension MessageCodec {
    /// Appends the content of a message.
    func encode(_ message: MoQMessage, into writer: inout WireWriter) throws(MoQWireError) {
        if self.profile.messageForm == .fields, try self.encodeFields(message, into: &writer) {
            return
        }
        switch message {
        case .setup(let message):
            try message.options.encode(into: &writer, sender: self.role, profile: self.profile)
        case .goaway(let message):
            try self.encode(message, into: &writer)
        case .maxRequestID(let message):
            try writer.write(integer: message.maximum.rawValue)
        case .requestsBlocked(let message):
            try writer.write(integer: message.maximum.rawValue)
        case .unsubscribe(let message):
            try writer.write(integer: message.requestID.rawValue)
        case .fetchCancel(let message):
            try writer.write(integer: message.requestID.rawValue)
        case .subscribe, .publish, .trackStatus, .fetch, .requestUpdate:
            try self.encodeTrackRequest(message, into: &writer)
        case .publishNamespace, .subscribeNamespace, .subscribeTracks, .namespace, .namespaceDone, .publishBlocked,
            .publishNamespaceDone, .publishNamespaceCancel:
            try self.encodeNamespaceMessage(message, into: &writer)
        case .unsubscribeNamespace(let message):
            try writer.write(message.prefix)
        case .subscribeOk, .publishOk, .fetchOk, .requestOk, .requestError, .publishDone:
            try self.encodeReply(message, into: &writer)
        }
    }

    private func encode(_ message: Goaway, into writer: inout WireWriter) throws(MoQWireError) {
        guard message.newSessionURI.utf8.count <= Self.maximumURILength else {
            throw .notExpressible("the URI of GOAWAY exceeds 8,192 bytes")
        }
        guard message.newSessionURI.isEmpty || self.role == .server else {
            throw .notExpressible("a client does not send a URI in GOAWAY")
        }
        try writer.write(prefixed: message.newSessionURI)
        switch self.profile.goawayForm {
        case .uri:
            guard message.timeout == nil, message.requestID == nil else {
                throw .notExpressible("GOAWAY has only a URI in \(self.profile)")
            }
        case .uriTimeoutRequestID:
            try writer.write(integer: message.timeout ?? 0)
            if let id = message.requestID {
                guard id.issuer == self.role.peer else {
                    throw .notExpressible("the request id of GOAWAY must be one of the receiver's")
                }
                try writer.write(integer: id.rawValue)
            }
        }
    }

    private func write(
        _ set: ParameterSet,
        _ scope: ParameterScope,
        into writer: inout WireWriter
    ) throws(MoQWireError) {
        try set.encode(into: &writer, scope: scope, profile: self.profile)
    }

    private func encodeTrackRequest(_ message: MoQMessage, into writer: inout WireWriter) throws(MoQWireError) {
        switch message {
        case .subscribe(let message):
            try writer.write(integer: message.requestID.rawValue)
            try writer.write(message.track, in: self.profile)
            try self.write(ParameterSet(message.parameters, tokens: message.tokens), .subscribe, into: &writer)
        case .trackStatus(let message):
            try writer.write(integer: message.requestID.rawValue)
            try writer.write(message.track, in: self.profile)
            try self.write(ParameterSet(tokens: message.tokens), .trackStatus, into: &writer)
        case .publish(let message):
            try writer.write(integer: message.requestID.rawValue)
            try writer.write(message.track, in: self.profile)
            try writer.write(integer: message.trackAlias.rawValue)
            var set = ParameterSet(tokens: message.tokens)
            set.expires = message.expires
            set.largestObject = message.largestObject
            set.forward = message.forward
            try self.write(set, .publish, into: &writer)
            try self.write(message.properties, into: &writer)
        case .requestUpdate(let message):
            try writer.write(integer: message.requestID.rawValue)
            if self.profile.repliesCarryRequestID {
                guard let existing = message.existingRequestID else {
                    throw .notExpressible("REQUEST_UPDATE must name the request in \(self.profile)")
                }
                try writer.write(integer: existing.rawValue)
            }
            var set = ParameterSet(message.parameters, tokens: message.tokens)
            set.namespacePrefix = message.namespacePrefix
            try self.write(set, .anyUpdate, into: &writer)
        case .fetch(let message):
            try writer.write(integer: message.requestID.rawValue)
            try self.encode(message.target, into: &writer)
            var set = ParameterSet(tokens: message.tokens)
            set.subscriberPriority = message.subscriberPriority
            set.groupOrder = message.groupOrder
            set.fillTimeout = message.fillTimeout
            try self.write(set, .fetch, into: &writer)
        default:
            break
        }
    }

    func encode(_ target: FetchTarget, into writer: inout WireWriter) throws(MoQWireError) {
        switch target {
        case .standalone(let track, let start, let end):
            try writer.write(integer: 1)
            try writer.write(track, in: self.profile)
            try writer.write(start)
            try writer.write(end.wire)
        case .relativeJoining(let subscription, let groupsBack):
            try writer.write(integer: 2)
            try writer.write(integer: subscription.rawValue)
            try writer.write(integer: groupsBack)
        case .absoluteJoining(let subscription, let startGroup):
            try writer.write(integer: 3)
            try writer.write(integer: subscription.rawValue)
            try writer.write(integer: startGroup)
        }
    }

    private func encodeNamespaceMessage(
        _ message: MoQMessage,
        into writer: inout WireWriter
    ) throws(MoQWireError) {
        switch message {
        case .publishNamespace(let message):
            try writer.write(integer: message.requestID.rawValue)
            try writer.write(message.namespace, minimum: self.profile.minimumNamespaceFields)
            try self.write(ParameterSet(tokens: message.tokens), .publishNamespace, into: &writer)
        case .subscribeNamespace(let message):
            try writer.write(integer: message.requestID.rawValue)
            try writer.write(message.prefix)
            if self.profile.subscribeNamespaceHasOptions {
                try writer.write(integer: UInt64(message.interest.rawValue))
            } else if message.interest != .namespaces {
                throw .notExpressible("\(self.profile) asks for tracks with SUBSCRIBE_TRACKS")
            }
            var set = ParameterSet(tokens: message.tokens)
            set.forward = message.forward
            try self.write(set, .subscribeNamespace, into: &writer)
        case .subscribeTracks(let message):
            try writer.write(integer: message.requestID.rawValue)
            try writer.write(message.prefix)
            var set = ParameterSet(tokens: message.tokens)
            set.forward = message.forward
            try self.write(set, .subscribeTracks, into: &writer)
        case .namespace(let message):
            try writer.write(message.suffix)
        case .namespaceDone(let message):
            try writer.write(message.suffix)
        case .publishBlocked(let message):
            guard message.suffix.byteCount + message.name.count <= TrackNamespace.maximumByteCount else {
                throw .notExpressible("a full track name has at most 4,096 bytes")
            }
            try writer.write(message.suffix)
            try writer.write(prefixed: message.name)
        case .publishNamespaceDone(let message):
            try self.writeReference(message.requestID, into: &writer)
        case .publishNamespaceCancel(let message):
            try self.writeReference(message.requestID, into: &writer)
            try writer.write(integer: message.code.wireValue(in: self.profile))
            try writer.write(message.reason)
        default:
            break
        }
    }

    private func encodeReply(_ message: MoQMessage, into writer: inout WireWriter) throws(MoQWireError) {
        if self.profile.repliesCarryRequestID {
            try self.writeReference(message.requestID, into: &writer)
        }
        switch message {
        case .subscribeOk(let message):
            try writer.write(integer: message.trackAlias.rawValue)
            var set = ParameterSet()
            set.expires = message.expires
            set.largestObject = message.largestObject
            try self.write(set, .subscribeOk, into: &writer)
            try self.write(message.properties, into: &writer)
        case .fetchOk(let message):
            writer.write(byte: message.endOfTrack ? 1 : 0)
            try writer.write(message.end.wire)
            try self.write(ParameterSet(), .fetchOk, into: &writer)
            try self.write(message.properties, into: &writer)
        case .publishOk(let message):
            var set = ParameterSet(message.parameters)
            set.expires = message.expires
            try self.write(set, .publishOk, into: &writer)
        case .requestOk(let message):
            try self.encode(message, into: &writer)
        case .requestError(let message):
            try self.encode(message, into: &writer)
        case .publishDone(let message):
            try writer.write(integer: message.status.wireValue(in: self.profile))
            try writer.write(integer: message.streamCount ?? self.profile.unknownStreamCount)
            try writer.write(message.reason)
        default:
            break
        }
    }

    private func encode(_ message: RequestOk, into writer: inout WireWriter) throws(MoQWireError) {
        guard let scope = Self.answerScope(of: message.answers), message.answers != .publish else {
            throw .notExpressible("REQUEST_OK of this model does not answer this kind of request")
        }
        guard message.properties.isEmpty || (self.profile.requestOkAnswersPublish && message.answers == .trackStatus)
        else {
            throw .notExpressible("REQUEST_OK carries properties only when it answers TRACK_STATUS of a later draft")
        }
        var set = ParameterSet()
        set.expires = message.expires
        set.largestObject = message.largestObject
        try self.write(set, scope, into: &writer)
        try self.write(message.properties, into: &writer)
    }

    private func encode(_ message: RequestError, into writer: inout WireWriter) throws(MoQWireError) {
        try writer.write(integer: message.code.wireValue(in: self.profile))
        let (retry, overflow) = (message.retryAfter ?? 0).addingReportingOverflow(1)
        guard !overflow else {
            throw .notExpressible("the retry interval is too long")
        }
        try writer.write(integer: message.retryAfter == nil ? 0 : retry)
        try writer.write(message.reason)
        guard let redirect = message.redirect else {
            guard message.code != .redirect || !self.profile.hasRedirect else {
                throw .notExpressible("a redirect must say where to")
            }
            return
        }
        guard self.profile.hasRedirect, message.code == .redirect else {
            throw .notExpressible("only the code REDIRECT of draft 18 and later goes with a redirect")
        }
        guard redirect.connectURI.isEmpty || self.role == .server else {
            throw .notExpressible("a client does not send a URI in a redirect")
        }
        try writer.write(prefixed: redirect.connectURI)
        try writer.write(redirect.namespace)
        try writer.write(prefixed: redirect.name)
    }

    private func writeReference(_ id: RequestID?, into writer: inout WireWriter) throws(MoQWireError) {
        guard let id else {
            throw .notExpressible("the message must name a request in \(self.profile)")
        }
        try writer.write(integer: id.rawValue)
    }

    private func write(_ properties: PropertyList, into writer: inout WireWriter) throws(MoQWireError) {
        writer.write(bytes: try properties.transcoded(to: self.profile.coding).bytes)
    }
}
