// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// The kinds of requests that get an answer of their own (draft-18 §10.1, "Request ID").
public enum RequestKind: UInt8, Hashable, Sendable, CaseIterable {
    /// SUBSCRIBE.
    case subscribe
    /// PUBLISH.
    case publish
    /// FETCH.
    case fetch
    /// TRACK_STATUS.
    case trackStatus
    /// PUBLISH_NAMESPACE.
    case publishNamespace
    /// SUBSCRIBE_NAMESPACE.
    case subscribeNamespace
    /// SUBSCRIBE_TRACKS (draft 18 and later).
    case subscribeTracks
    /// REQUEST_UPDATE, which never opens a stream of its own.
    case requestUpdate

    /// The message that makes such a request; nil for an update, which belongs to another request.
    var opening: MessageKind? {
        switch self {
        case .subscribe: .subscribe
        case .publish: .publish
        case .fetch: .fetch
        case .trackStatus: .trackStatus
        case .publishNamespace: .publishNamespace
        case .subscribeNamespace: .subscribeNamespace
        case .subscribeTracks: .subscribeTracks
        case .requestUpdate: nil
        }
    }
}
