// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

extension MessageCodec {
    /// Reads the content of a message whose type and place have been checked.
    func decode(
        _ kind: MessageKind,
        from reader: inout WireReader,
        on context: StreamContext
    ) throws(MoQWireError) -> MoQMessage {
        if self.profile.messageForm == .fields, let message = try self.decodeFields(kind, from: &reader) {
            return message
        }
        switch kind {
        case .clientSetup, .serverSetup, .setup:
            let options = try SetupOptions(from: &reader, sender: self.role.peer, profile: self.profile)
            return .setup(Setup(options: options))
        case .goaway:
            return .goaway(try self.goaway(from: &reader, on: context))
        case .maxRequestID:
            return .maxRequestID(MaxRequestID(maximum: try Self.id(from: &reader)))
        case .requestsBlocked:
            return .requestsBlocked(RequestsBlocked(maximum: try Self.id(from: &reader)))
        case .subscribe, .trackStatus, .fetch, .publish, .requestUpdate:
            return try self.trackRequest(kind, from: &reader, on: context)
        case .publishNamespace, .subscribeNamespace, .subscribeTracks:
            return try self.namespaceRequest(kind, from: &reader)
        case .subscribeOk, .publishOk, .fetchOk, .requestOk:
            return try self.success(kind, from: &reader, on: context)
        case .requestError:
            return .requestError(try self.failure(from: &reader, on: context))
        case .publishDone:
            return .publishDone(try self.publishDone(from: &reader))
        case .unsubscribe:
            return .unsubscribe(Unsubscribe(requestID: try Self.id(from: &reader)))
        case .fetchCancel:
            return .fetchCancel(FetchCancel(requestID: try Self.id(from: &reader)))
        case .publishNamespaceDone:
            return .publishNamespaceDone(PublishNamespaceDone(requestID: try Self.id(from: &reader)))
        case .publishNamespaceCancel:
            let id = try Self.id(from: &reader)
            let code = RequestErrorCode(wireValue: try reader.readInteger(), in: self.profile)
            let reason = try reader.readReason()
            return .publishNamespaceCancel(PublishNamespaceCancel(requestID: id, code: code, reason: reason))
        case .namespace:
            return .namespace(Namespace(suffix: try reader.readNamespace(minimum: 0)))
        case .namespaceDone:
            return .namespaceDone(NamespaceDone(suffix: try reader.readNamespace(minimum: 0)))
        case .publishBlocked:
            let suffix = try reader.readNamespace(minimum: 0)
            let name = try reader.readTrackName(after: suffix.byteCount)
            return .publishBlocked(PublishBlocked(suffix: suffix, name: name))
        case .subscribeError, .subscribeUpdate, .publishError, .publishNamespaceOk, .publishNamespaceError,
            .subscribeNamespaceOk, .subscribeNamespaceError, .unsubscribeNamespace, .fetchError, .trackStatusOk,
            .trackStatusError:
            // Only tables of drafts with such messages have them, and those drafts were served above.
            throw self.misplaced(kind)
        }
    }

    static func id(from reader: inout WireReader) throws(MoQWireError) -> RequestID {
        RequestID(try reader.readInteger())
    }

    /// The id on an answer, where the draft has one.
    private func replyID(from reader: inout WireReader) throws(MoQWireError) -> RequestID? {
        self.profile.repliesCarryRequestID ? try Self.id(from: &reader) : nil
    }

    private func goaway(
        from reader: inout WireReader,
        on context: StreamContext
    ) throws(MoQWireError) -> Goaway {
        let length = try reader.readLength(limit: Self.maximumURILength, "the URI of GOAWAY exceeds 8,192 bytes")
        guard length == 0 || self.role == .client else {
            throw .violation("a client sent a GOAWAY with a URI")
        }
        var goaway = Goaway(newSessionURI: String(decoding: try reader.readBytes(length), as: UTF8.self))
        guard self.profile.goawayForm == .uriTimeoutRequestID else {
            return goaway
        }
        goaway.timeout = try reader.readInteger()
        if context == .control {
            let id = try Self.id(from: &reader)
            guard id.issuer == self.role else {
                throw MoQWireError(code: .invalidRequestID, reason: "the request id of GOAWAY is not one of ours")
            }
            goaway.requestID = id
        }
        return goaway
    }

    /// The longest URI in GOAWAY.
    static let maximumURILength = 8_192

    private func trackRequest(
        _ kind: MessageKind,
        from reader: inout WireReader,
        on context: StreamContext
    ) throws(MoQWireError) -> MoQMessage {
        let id = try Self.id(from: &reader)
        switch kind {
        case .subscribe:
            let track = try reader.readFullTrackName(in: self.profile)
            let set = try ParameterSet(from: &reader, scope: .subscribe, profile: self.profile)
            return .subscribe(
                Subscribe(requestID: id, track: track, parameters: set.subscription, tokens: set.tokens)
            )
        case .trackStatus:
            let track = try reader.readFullTrackName(in: self.profile)
            let set = try ParameterSet(from: &reader, scope: .trackStatus, profile: self.profile)
            return .trackStatus(TrackStatus(requestID: id, track: track, tokens: set.tokens))
        case .publish:
            let track = try reader.readFullTrackName(in: self.profile)
            let alias = TrackAlias(try reader.readInteger())
            let set = try ParameterSet(from: &reader, scope: .publish, profile: self.profile)
            return .publish(
                Publish(
                    requestID: id,
                    track: track,
                    trackAlias: alias,
                    expires: set.expires,
                    largestObject: set.largestObject,
                    forward: set.forward,
                    tokens: set.tokens,
                    properties: try self.trackProperties(from: &reader)
                )
            )
        case .requestUpdate:
            let existing = self.profile.repliesCarryRequestID ? try Self.id(from: &reader) : nil
            let scope = Self.updateScope(of: context.streamKind)
            let set = try ParameterSet(from: &reader, scope: scope, profile: self.profile)
            return .requestUpdate(
                RequestUpdate(
                    requestID: id,
                    existingRequestID: existing,
                    parameters: set.subscription,
                    namespacePrefix: set.namespacePrefix,
                    tokens: set.tokens
                )
            )
        default:
            let target = try self.fetchTarget(from: &reader)
            let set = try ParameterSet(from: &reader, scope: .fetch, profile: self.profile)
            return .fetch(
                Fetch(
                    requestID: id,
                    target: target,
                    subscriberPriority: set.subscriberPriority,
                    groupOrder: set.groupOrder,
                    fillTimeout: set.fillTimeout,
                    tokens: set.tokens
                )
            )
        }
    }

    func fetchTarget(from reader: inout WireReader) throws(MoQWireError) -> FetchTarget {
        switch try reader.readInteger() {
        case 1:
            let track = try reader.readFullTrackName(in: self.profile)
            let start = try reader.readLocation()
            return .standalone(track: track, start: start, end: FetchEnd(wire: try reader.readLocation()))
        case 2:
            let subscription = try Self.id(from: &reader)
            return .relativeJoining(subscription: subscription, groupsBack: try reader.readInteger())
        case 3:
            let subscription = try Self.id(from: &reader)
            return .absoluteJoining(subscription: subscription, startGroup: try reader.readInteger())
        default:
            throw .violation("unknown type of fetch")
        }
    }

    private func namespaceRequest(
        _ kind: MessageKind,
        from reader: inout WireReader
    ) throws(MoQWireError) -> MoQMessage {
        let id = try Self.id(from: &reader)
        switch kind {
        case .publishNamespace:
            let namespace = try reader.readNamespace(minimum: self.profile.minimumNamespaceFields)
            let set = try ParameterSet(from: &reader, scope: .publishNamespace, profile: self.profile)
            return .publishNamespace(PublishNamespace(requestID: id, namespace: namespace, tokens: set.tokens))
        case .subscribeNamespace:
            let prefix = try reader.readNamespace(minimum: 0)
            var interest = SubscribeNamespace.Interest.namespaces
            if self.profile.subscribeNamespaceHasOptions {
                let value = UInt8(exactly: try reader.readInteger())
                guard let value, let known = SubscribeNamespace.Interest(rawValue: value) else {
                    throw .violation("unknown options of SUBSCRIBE_NAMESPACE")
                }
                interest = known
            }
            let set = try ParameterSet(from: &reader, scope: .subscribeNamespace, profile: self.profile)
            return .subscribeNamespace(
                SubscribeNamespace(
                    requestID: id,
                    prefix: prefix,
                    interest: interest,
                    forward: set.forward,
                    tokens: set.tokens
                )
            )
        default:
            let prefix = try reader.readNamespace(minimum: 0)
            let set = try ParameterSet(from: &reader, scope: .subscribeTracks, profile: self.profile)
            return .subscribeTracks(
                SubscribeTracks(requestID: id, prefix: prefix, forward: set.forward, tokens: set.tokens)
            )
        }
    }

    private func success(
        _ kind: MessageKind,
        from reader: inout WireReader,
        on context: StreamContext
    ) throws(MoQWireError) -> MoQMessage {
        let id = try self.replyID(from: &reader)
        switch kind {
        case .subscribeOk:
            let alias = TrackAlias(try reader.readInteger())
            let set = try ParameterSet(from: &reader, scope: .subscribeOk, profile: self.profile)
            return .subscribeOk(
                SubscribeOk(
                    requestID: id,
                    trackAlias: alias,
                    expires: set.expires,
                    largestObject: set.largestObject,
                    properties: try self.trackProperties(from: &reader)
                )
            )
        case .fetchOk:
            let endOfTrack = try reader.readByte()
            guard endOfTrack <= 1 else {
                throw .violation("the End Of Track of FETCH_OK is neither 0 nor 1")
            }
            let end = FetchEnd(wire: try reader.readLocation())
            _ = try ParameterSet(from: &reader, scope: .fetchOk, profile: self.profile)
            return .fetchOk(
                FetchOk(
                    requestID: id,
                    endOfTrack: endOfTrack == 1,
                    end: end,
                    properties: try self.trackProperties(from: &reader)
                )
            )
        case .publishOk:
            let set = try ParameterSet(from: &reader, scope: .publishOk, profile: self.profile)
            return .publishOk(PublishOk(requestID: id, parameters: set.subscription, expires: set.expires))
        default:
            return try self.requestOk(id, from: &reader, answering: context.answering)
        }
    }

    private func requestOk(
        _ id: RequestID?,
        from reader: inout WireReader,
        answering: RequestKind?
    ) throws(MoQWireError) -> MoQMessage {
        guard let scope = Self.answerScope(of: answering), answering != .publish || id == nil else {
            throw .violation("REQUEST_OK does not answer this kind of request")
        }
        let set = try ParameterSet(from: &reader, scope: scope, profile: self.profile)
        guard answering != .publish else {
            guard reader.isAtEnd else {
                throw .violation("REQUEST_OK carries properties but does not answer TRACK_STATUS")
            }
            return .publishOk(PublishOk(requestID: id, parameters: set.subscription, expires: set.expires))
        }
        var message = RequestOk(
            requestID: id,
            answers: answering,
            expires: set.expires,
            largestObject: set.largestObject
        )
        if answering == .trackStatus {
            message.properties = try self.trackProperties(from: &reader)
        } else if !reader.isAtEnd, !self.profile.repliesCarryRequestID {
            throw .violation("REQUEST_OK carries properties but does not answer TRACK_STATUS")
        }
        return .requestOk(message)
    }

    private func failure(
        from reader: inout WireReader,
        on context: StreamContext
    ) throws(MoQWireError) -> RequestError {
        let id = try self.replyID(from: &reader)
        let code = RequestErrorCode(wireValue: try reader.readInteger(), in: self.profile)
        let retry = try reader.readInteger()
        var message = RequestError(
            requestID: id,
            answers: context.answering,
            code: code,
            retryAfter: retry == 0 ? nil : retry - 1,
            reason: try reader.readReason()
        )
        if self.profile.hasRedirect, code == .redirect {
            message.redirect = try self.redirect(from: &reader, answering: context.answering)
        }
        return message
    }

    private func redirect(
        from reader: inout WireReader,
        answering: RequestKind?
    ) throws(MoQWireError) -> Redirect {
        let length = try reader.readLength()
        guard length == 0 || self.role == .client else {
            throw .violation("a client sent a redirect with a URI")
        }
        let uri = String(decoding: try reader.readBytes(length), as: UTF8.self)
        let namespace = try reader.readNamespace(minimum: 0)
        let name = try reader.readTrackName(after: namespace.byteCount)
        switch answering {
        case .publishNamespace, .subscribeNamespace:
            guard name.isEmpty else {
                throw .violation("a redirect of a request about a namespace names a track")
            }
        default:
            break
        }
        return Redirect(connectURI: uri, namespace: namespace, name: name)
    }

    private func publishDone(from reader: inout WireReader) throws(MoQWireError) -> PublishDone {
        let id = try self.replyID(from: &reader)
        let status = PublishDoneStatus(wireValue: try reader.readInteger(), in: self.profile)
        let count = try reader.readInteger()
        return PublishDone(
            requestID: id,
            status: status,
            streamCount: count == self.profile.unknownStreamCount ? nil : count,
            reason: try reader.readReason()
        )
    }

    /// Reads the properties of a track, which run to the end of the message.
    private func trackProperties(from reader: inout WireReader) throws(MoQWireError) -> PropertyList {
        let properties = PropertyList(bytes: reader.readRest(), coding: self.profile.coding)
        try properties.validateAsTrackProperties(in: self.profile)
        return properties
    }
}

extension MessageCodec {
    /// The scope of a REQUEST_UPDATE on the stream of such a request; of any, when the stream does not say.
    static func updateScope(of kind: RequestKind?) -> ParameterScope {
        switch kind {
        case .subscribe, .publish: return .updateSubscription
        case .fetch: return .updateFetch
        case .publishNamespace: return .updatePublishNamespace
        case .subscribeNamespace, .subscribeTracks: return .updateNamespaceSubscription
        case .trackStatus, .requestUpdate, nil: return .anyUpdate
        }
    }

    /// The scope of a REQUEST_OK that answers such a request, or nil when such a request has another answer. Where the
    /// stream does not say what is answered, the scope of any.
    static func answerScope(of kind: RequestKind?) -> ParameterScope? {
        switch kind {
        case .publish: return .publishOk
        case .trackStatus: return .trackStatusOk
        case .publishNamespace: return .publishNamespaceOk
        case .subscribeNamespace: return .subscribeNamespaceOk
        case .subscribeTracks: return .subscribeTracksOk
        case .requestUpdate: return .updateOk
        case nil: return .anyRequestOk
        case .subscribe, .fetch: return nil
        }
    }
}

extension FetchEnd {
    /// Takes an end as drafts 14 to 19 write it: the object plus one, or 0 for the whole group.
    init(wire location: Location) {
        if location.object == 0 {
            self = .group(location.group)
        } else {
            self = .object(Location(group: location.group, object: location.object - 1))
        }
    }

    /// The end as drafts 14 to 19 write it: the object plus one, or 0 for the whole group.
    public var wire: Location {
        switch self {
        case .group(let group):
            return Location(group: group, object: 0)
        case .object(let location):
            // After the last object that can be numbered comes nothing, so the group is taken whole.
            return Location(group: location.group, object: location.object &+ 1)
        }
    }
}
