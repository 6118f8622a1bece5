// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQWire

/// The JSON form of a message: the fields that it has in a draft, by the names that the draft gives them. Lengths and counts
/// are left out.
struct MessageFields {
    let profile: DraftProfile
    private let kind: MessageKind
    var object = JSONObject()

    /// Describes a message that was decoded in this draft, where it is of this kind.
    init(_ message: MoQMessage, _ kind: MessageKind, in profile: DraftProfile) {
        self.profile = profile
        self.kind = kind
        if profile.messageForm == .fields, self.addFields(of: message) {
            return
        }
        switch message {
        case .setup, .goaway, .maxRequestID, .requestsBlocked:
            self.addSession(message)
        case .subscribe, .publish, .fetch, .trackStatus, .requestUpdate:
            self.addTrackRequest(message)
        case .publishNamespace, .subscribeNamespace, .subscribeTracks, .namespace, .namespaceDone, .publishBlocked,
            .publishNamespaceDone, .publishNamespaceCancel, .unsubscribeNamespace:
            self.addNamespace(message)
        case .subscribeOk, .publishOk, .fetchOk, .requestOk, .requestError, .publishDone, .unsubscribe, .fetchCancel:
            self.addAnswer(message)
        }
    }

    private mutating func addSession(_ message: MoQMessage) {
        switch message {
        case .setup(let message):
            self.add(message.options)
        case .goaway(let message):
            self.object.add("new_session_uri", .text(message.newSessionURI))
            self.object.add("timeout", message.timeout)
            self.object.add("request_id", message.requestID?.rawValue)
        case .maxRequestID(let message):
            let name = self.profile.version == .draft14 ? "request_id" : "max_request_id"
            self.object.add(name, message.maximum.rawValue)
        case .requestsBlocked(let message):
            self.object.add("maximum_request_id", message.maximum.rawValue)
        default:
            break
        }
    }

    private mutating func add(_ options: SetupOptions) {
        if self.profile.setupNegotiatesVersion {
            if self.kind == .clientSetup {
                self.object.add("supported_versions", .array(options.versions.map { .integer($0) }))
            } else {
                self.object.add("selected_version", options.versions.first)
            }
        }
        var fields = JSONObject()
        fields.add("path", options.path.map { .text($0) })
        fields.add("max_request_id", options.maxRequestID?.rawValue)
        if !options.tokens.isEmpty {
            fields.add("authorization_token", .array(options.tokens.map(ParameterFields.value)))
        }
        fields.add("max_auth_token_cache_size", options.maxAuthTokenCacheSize)
        fields.add("authority", options.authority.map { .text($0) })
        fields.add("moqt_implementation", options.implementation.map { .text($0) })
        if !options.unknown.isEmpty {
            fields.add("unknown", PropertyFields.value(of: options.unknown))
        }
        self.object.add(self.profile.version < .draft18 ? "setup_parameters" : "setup_options", .object(fields))
    }

    private mutating func addTrackRequest(_ message: MoQMessage) {
        var parameters = ParameterFields(in: self.profile)
        switch message {
        case .subscribe(let message):
            self.add(message.requestID, message.track)
            parameters.add(message.tokens)
            parameters.add(message.parameters)
        case .trackStatus(let message):
            self.add(message.requestID, message.track)
            parameters.add(message.tokens)
        case .publish(let message):
            self.add(message.requestID, message.track)
            self.object.add("track_alias", message.trackAlias.rawValue)
            parameters.add(message.tokens)
            parameters.add(.expires, message.expires)
            parameters.add(largest: message.largestObject)
            parameters.add(forward: message.forward)
            self.add(parameters)
            self.add(message.properties)
            return
        case .fetch(let message):
            self.object.add("request_id", message.requestID.rawValue)
            self.add(message.target)
            parameters.add(message.tokens)
            parameters.add(.fillTimeout, message.fillTimeout)
            parameters.add(.subscriberPriority, message.subscriberPriority.map { UInt64($0) })
            parameters.add(.groupOrder, message.groupOrder.map { UInt64($0.rawValue) })
        case .requestUpdate(let message):
            self.object.add("request_id", message.requestID.rawValue)
            self.object.add("existing_request_id", message.existingRequestID?.rawValue)
            parameters.add(message.tokens)
            parameters.add(message.parameters)
            parameters.add(prefix: message.namespacePrefix)
        default:
            break
        }
        self.add(parameters)
    }

    private mutating func addNamespace(_ message: MoQMessage) {
        var parameters = ParameterFields(in: self.profile)
        switch message {
        case .publishNamespace(let message):
            self.object.add("request_id", message.requestID.rawValue)
            self.object.add("track_namespace", .namespace(message.namespace))
            parameters.add(message.tokens)
        case .subscribeNamespace(let message):
            self.object.add("request_id", message.requestID.rawValue)
            self.object.add("track_namespace_prefix", .namespace(message.prefix))
            if self.profile.subscribeNamespaceHasOptions {
                self.object.add("subscribe_options", UInt64(message.interest.rawValue))
            }
            parameters.add(message.tokens)
            parameters.add(forward: message.forward)
        case .subscribeTracks(let message):
            self.object.add("request_id", message.requestID.rawValue)
            self.object.add("track_namespace_prefix", .namespace(message.prefix))
            parameters.add(message.tokens)
            parameters.add(forward: message.forward)
        case .namespace(let message):
            self.object.add("track_namespace_suffix", .namespace(message.suffix))
            return
        case .namespaceDone(let message):
            self.object.add("track_namespace_suffix", .namespace(message.suffix))
            return
        case .publishBlocked(let message):
            self.object.add("track_namespace_suffix", .namespace(message.suffix))
            self.object.add("track_name", .name(message.name))
            return
        case .publishNamespaceDone(let message):
            self.object.add("request_id", message.requestID?.rawValue)
            return
        case .publishNamespaceCancel(let message):
            self.object.add("request_id", message.requestID?.rawValue)
            self.object.add("error_code", message.code.wireValue(in: self.profile))
            self.object.add("error_reason", .text(message.reason.text))
            return
        default:
            return
        }
        self.add(parameters)
    }

    private mutating func addAnswer(_ message: MoQMessage) {
        if self.profile.repliesCarryRequestID {
            self.object.add("request_id", message.requestID?.rawValue)
        }
        var parameters = ParameterFields(in: self.profile)
        switch message {
        case .subscribeOk(let message):
            self.object.add("track_alias", message.trackAlias.rawValue)
            parameters.add(.expires, message.expires)
            parameters.add(largest: message.largestObject)
            self.add(parameters)
            self.add(message.properties)
        case .publishOk(let message):
            parameters.add(message.parameters)
            parameters.add(.expires, message.expires)
            self.add(parameters)
        case .fetchOk(let message):
            self.object.add("end_of_track", message.endOfTrack ? 1 : 0)
            self.object.add("end_location", .location(message.end.wire))
            self.add(parameters)
            self.add(message.properties)
        case .requestOk(let message):
            parameters.add(.expires, message.expires)
            parameters.add(largest: message.largestObject)
            self.add(parameters)
            if message.answers == .trackStatus, self.profile.requestOkAnswersPublish {
                self.add(message.properties)
            }
        case .requestError(let message):
            self.add(message)
        case .publishDone(let message):
            self.object.add("status_code", message.status.wireValue(in: self.profile))
            self.object.add("stream_count", message.streamCount ?? self.profile.unknownStreamCount)
            self.object.add("error_reason", .text(message.reason.text))
        default:
            break
        }
    }

    private mutating func add(_ error: RequestError) {
        self.object.add("error_code", error.code.wireValue(in: self.profile, answering: error.answers))
        self.object.add("retry_interval", error.retryAfter.map { $0 &+ 1 } ?? 0)
        self.object.add("error_reason", .text(error.reason.text))
        guard let redirect = error.redirect else {
            return
        }
        var fields = JSONObject()
        fields.add("connect_uri", .text(redirect.connectURI))
        fields.add("track_namespace", .namespace(redirect.namespace))
        fields.add("track_name", .name(redirect.name))
        self.object.add("redirect", .object(fields))
    }

    // MARK: Parts

    mutating func add(_ id: RequestID, _ track: FullTrackName) {
        self.object.add("request_id", id.rawValue)
        self.add(track)
    }

    private mutating func add(_ track: FullTrackName) {
        self.object.add("track_namespace", .namespace(track.namespace))
        self.object.add("track_name", .name(track.name))
    }

    mutating func add(_ target: FetchTarget) {
        switch target {
        case .standalone(let track, let start, let end):
            self.object.add("fetch_type", 1)
            self.add(track)
            self.object.add("start_location", .location(start))
            self.object.add("end_location", .location(end.wire))
        case .relativeJoining(let subscription, let groupsBack):
            self.object.add("fetch_type", 2)
            self.object.add("joining_request_id", subscription.rawValue)
            self.object.add("joining_start", groupsBack)
        case .absoluteJoining(let subscription, let startGroup):
            self.object.add("fetch_type", 3)
            self.object.add("joining_request_id", subscription.rawValue)
            self.object.add("joining_start", startGroup)
        }
    }

    mutating func add(_ parameters: ParameterFields) {
        self.object.add("parameters", .object(parameters.object))
    }

    private mutating func add(_ properties: PropertyList) {
        self.object.add(PropertyFields.trackName(in: self.profile), PropertyFields.value(of: properties))
    }
}
