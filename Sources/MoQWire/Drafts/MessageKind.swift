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
    /// SUBSCRIBE_ERROR (draft 14).
    case subscribeError = "SUBSCRIBE_ERROR"
    /// SUBSCRIBE_UPDATE (draft 14).
    case subscribeUpdate = "SUBSCRIBE_UPDATE"
    /// UNSUBSCRIBE.
    case unsubscribe = "UNSUBSCRIBE"
    /// REQUEST_UPDATE.
    case requestUpdate = "REQUEST_UPDATE"
    /// PUBLISH.
    case publish = "PUBLISH"
    /// PUBLISH_OK as a message of its own.
    case publishOk = "PUBLISH_OK"
    /// PUBLISH_ERROR (draft 14).
    case publishError = "PUBLISH_ERROR"
    /// PUBLISH_DONE.
    case publishDone = "PUBLISH_DONE"
    /// PUBLISH_NAMESPACE.
    case publishNamespace = "PUBLISH_NAMESPACE"
    /// PUBLISH_NAMESPACE_OK (draft 14).
    case publishNamespaceOk = "PUBLISH_NAMESPACE_OK"
    /// PUBLISH_NAMESPACE_ERROR (draft 14).
    case publishNamespaceError = "PUBLISH_NAMESPACE_ERROR"
    /// PUBLISH_NAMESPACE_DONE.
    case publishNamespaceDone = "PUBLISH_NAMESPACE_DONE"
    /// PUBLISH_NAMESPACE_CANCEL.
    case publishNamespaceCancel = "PUBLISH_NAMESPACE_CANCEL"
    /// SUBSCRIBE_NAMESPACE.
    case subscribeNamespace = "SUBSCRIBE_NAMESPACE"
    /// SUBSCRIBE_NAMESPACE_OK (draft 14).
    case subscribeNamespaceOk = "SUBSCRIBE_NAMESPACE_OK"
    /// SUBSCRIBE_NAMESPACE_ERROR (draft 14).
    case subscribeNamespaceError = "SUBSCRIBE_NAMESPACE_ERROR"
    /// UNSUBSCRIBE_NAMESPACE (draft 14).
    case unsubscribeNamespace = "UNSUBSCRIBE_NAMESPACE"
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
    /// FETCH_ERROR (draft 14).
    case fetchError = "FETCH_ERROR"
    /// FETCH_CANCEL.
    case fetchCancel = "FETCH_CANCEL"
    /// TRACK_STATUS.
    case trackStatus = "TRACK_STATUS"
    /// TRACK_STATUS_OK (draft 14).
    case trackStatusOk = "TRACK_STATUS_OK"
    /// TRACK_STATUS_ERROR (draft 14).
    case trackStatusError = "TRACK_STATUS_ERROR"
}
