// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// The control messages by the names that the drafts give them on the wire.
public enum MessageKind: String, Hashable, Sendable, CaseIterable {
    /// CLIENT_SETUP.
    case clientSetup = "CLIENT_SETUP"
    /// SERVER_SETUP.
    case serverSetup = "SERVER_SETUP"
    /// SETUP.
    case setup = "SETUP"
    /// GOAWAY.
    case goaway = "GOAWAY"
    /// MAX_REQUEST_ID.
    case maxRequestID = "MAX_REQUEST_ID"
    /// REQUESTS_BLOCKED.
    case requestsBlocked = "REQUESTS_BLOCKED"
    /// SUBSCRIBE.
    case subscribe = "SUBSCRIBE"
    /// SUBSCRIBE_OK.
    case subscribeOk = "SUBSCRIBE_OK"
    /// UNSUBSCRIBE.
    case unsubscribe = "UNSUBSCRIBE"
    /// REQUEST_UPDATE.
    case requestUpdate = "REQUEST_UPDATE"
    /// PUBLISH.
    case publish = "PUBLISH"
    /// PUBLISH_OK as a message of its own.
    case publishOk = "PUBLISH_OK"
    /// PUBLISH_DONE.
    case publishDone = "PUBLISH_DONE"
    /// PUBLISH_NAMESPACE.
    case publishNamespace = "PUBLISH_NAMESPACE"
    /// PUBLISH_NAMESPACE_DONE.
    case publishNamespaceDone = "PUBLISH_NAMESPACE_DONE"
    /// PUBLISH_NAMESPACE_CANCEL.
    case publishNamespaceCancel = "PUBLISH_NAMESPACE_CANCEL"
    /// SUBSCRIBE_NAMESPACE.
    case subscribeNamespace = "SUBSCRIBE_NAMESPACE"
    /// SUBSCRIBE_TRACKS.
    case subscribeTracks = "SUBSCRIBE_TRACKS"
    /// NAMESPACE.
    case namespace = "NAMESPACE"
    /// NAMESPACE_DONE.
    case namespaceDone = "NAMESPACE_DONE"
    /// PUBLISH_BLOCKED.
    case publishBlocked = "PUBLISH_BLOCKED"
    /// REQUEST_OK.
    case requestOk = "REQUEST_OK"
    /// REQUEST_ERROR.
    case requestError = "REQUEST_ERROR"
    /// FETCH.
    case fetch = "FETCH"
    /// FETCH_OK.
    case fetchOk = "FETCH_OK"
    /// FETCH_CANCEL.
    case fetchCancel = "FETCH_CANCEL"
    /// TRACK_STATUS.
    case trackStatus = "TRACK_STATUS"
}
