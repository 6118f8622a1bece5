// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// A control message, in the same terms for every draft (draft-18 §10, "Control Messages").
///
/// ``MessageCodec`` turns messages into the bytes of one draft and back.
public enum MoQMessage: Hashable, Sendable {
    /// SETUP, CLIENT_SETUP or SERVER_SETUP.
    case setup(Setup)
    /// GOAWAY.
    case goaway(Goaway)
    /// MAX_REQUEST_ID (up to draft 16).
    case maxRequestID(MaxRequestID)
    /// REQUESTS_BLOCKED (up to draft 16).
    case requestsBlocked(RequestsBlocked)
    /// SUBSCRIBE.
    case subscribe(Subscribe)
    /// SUBSCRIBE_OK.
    case subscribeOk(SubscribeOk)
    /// UNSUBSCRIBE (up to draft 16).
    case unsubscribe(Unsubscribe)
    /// REQUEST_UPDATE; SUBSCRIBE_UPDATE in draft 14.
    case requestUpdate(RequestUpdate)
    /// PUBLISH.
    case publish(Publish)
    /// PUBLISH_OK; from draft 18 on a REQUEST_OK that answers a PUBLISH.
    case publishOk(PublishOk)
    /// PUBLISH_DONE.
    case publishDone(PublishDone)
    /// PUBLISH_NAMESPACE.
    case publishNamespace(PublishNamespace)
    /// PUBLISH_NAMESPACE_DONE (up to draft 16).
    case publishNamespaceDone(PublishNamespaceDone)
    /// PUBLISH_NAMESPACE_CANCEL (up to draft 16).
    case publishNamespaceCancel(PublishNamespaceCancel)
    /// SUBSCRIBE_NAMESPACE.
    case subscribeNamespace(SubscribeNamespace)
    /// UNSUBSCRIBE_NAMESPACE (draft 14).
    case unsubscribeNamespace(UnsubscribeNamespace)
    /// SUBSCRIBE_TRACKS (draft 18 and later).
    case subscribeTracks(SubscribeTracks)
    /// NAMESPACE (draft 16 and later).
    case namespace(Namespace)
    /// NAMESPACE_DONE (draft 16 and later).
    case namespaceDone(NamespaceDone)
    /// PUBLISH_BLOCKED (draft 18 and later).
    case publishBlocked(PublishBlocked)
    /// REQUEST_OK, unless it answers a PUBLISH.
    case requestOk(RequestOk)
    /// REQUEST_ERROR.
    case requestError(RequestError)
    /// FETCH.
    case fetch(Fetch)
    /// FETCH_OK.
    case fetchOk(FetchOk)
    /// FETCH_CANCEL (up to draft 16).
    case fetchCancel(FetchCancel)
    /// TRACK_STATUS.
    case trackStatus(TrackStatus)

    /// The id of the request that the message makes, answers or is about; nil when it has none or, on a request stream
    /// of draft 18 and later, as long as nobody filled it in.
    public var requestID: RequestID? {
        switch self {
        case .setup, .goaway, .maxRequestID, .requestsBlocked, .namespace, .namespaceDone, .publishBlocked,
            .unsubscribeNamespace:
            return nil
        case .subscribe(let message): return message.requestID
        case .subscribeOk(let message): return message.requestID
        case .unsubscribe(let message): return message.requestID
        case .requestUpdate(let message): return message.requestID
        case .publish(let message): return message.requestID
        case .publishOk(let message): return message.requestID
        case .publishDone(let message): return message.requestID
        case .publishNamespace(let message): return message.requestID
        case .publishNamespaceDone(let message): return message.requestID
        case .publishNamespaceCancel(let message): return message.requestID
        case .subscribeNamespace(let message): return message.requestID
        case .subscribeTracks(let message): return message.requestID
        case .requestOk(let message): return message.requestID
        case .requestError(let message): return message.requestID
        case .fetch(let message): return message.requestID
        case .fetchOk(let message): return message.requestID
        case .fetchCancel(let message): return message.requestID
        case .trackStatus(let message): return message.requestID
        }
    }

    /// The kind of request that the message makes, or nil when it makes none.
    public var requestKind: RequestKind? {
        switch self {
        case .subscribe: return .subscribe
        case .publish: return .publish
        case .fetch: return .fetch
        case .trackStatus: return .trackStatus
        case .publishNamespace: return .publishNamespace
        case .subscribeNamespace: return .subscribeNamespace
        case .subscribeTracks: return .subscribeTracks
        case .requestUpdate: return .requestUpdate
        default: return nil
        }
    }

    /// Fills in the request that a message of a request stream belongs to, where the draft leaves it to the stream.
    ///
    /// `id` is the id of the request that opened the stream, `update` that of the REQUEST_UPDATE that a REQUEST_OK or
    /// REQUEST_ERROR answers. Messages that carry an id already, and those that have none, stay as they are.
    public mutating func fillRequestID(_ id: RequestID, update: RequestID? = nil) {
        switch self {
        case .subscribeOk(var message) where message.requestID == nil:
            message.requestID = id
            self = .subscribeOk(message)
        case .publishOk(var message) where message.requestID == nil:
            message.requestID = id
            self = .publishOk(message)
        case .publishDone(var message) where message.requestID == nil:
            message.requestID = id
            self = .publishDone(message)
        case .fetchOk(var message) where message.requestID == nil:
            message.requestID = id
            self = .fetchOk(message)
        case .requestOk(var message) where message.requestID == nil:
            message.requestID = message.answers == .requestUpdate ? update ?? id : id
            self = .requestOk(message)
        case .requestError(var message) where message.requestID == nil:
            message.requestID = message.answers == .requestUpdate ? update ?? id : id
            self = .requestError(message)
        case .requestUpdate(var message) where message.existingRequestID == nil:
            message.existingRequestID = id
            self = .requestUpdate(message)
        default:
            break
        }
    }
}
