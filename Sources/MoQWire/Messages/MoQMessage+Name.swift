// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

extension MoQMessage {
    /// The name of the message in the drafts, for logs. The newest name where it changed.
    public var name: String {
        switch self {
        case .setup: MessageKind.setup.rawValue
        case .goaway: MessageKind.goaway.rawValue
        case .maxRequestID: MessageKind.maxRequestID.rawValue
        case .requestsBlocked: MessageKind.requestsBlocked.rawValue
        case .subscribe: MessageKind.subscribe.rawValue
        case .subscribeOk: MessageKind.subscribeOk.rawValue
        case .unsubscribe: MessageKind.unsubscribe.rawValue
        case .requestUpdate: MessageKind.requestUpdate.rawValue
        case .publish: MessageKind.publish.rawValue
        case .publishOk: MessageKind.publishOk.rawValue
        case .publishDone: MessageKind.publishDone.rawValue
        case .publishNamespace: MessageKind.publishNamespace.rawValue
        case .publishNamespaceDone: MessageKind.publishNamespaceDone.rawValue
        case .publishNamespaceCancel: MessageKind.publishNamespaceCancel.rawValue
        case .subscribeNamespace: MessageKind.subscribeNamespace.rawValue
        case .unsubscribeNamespace: MessageKind.unsubscribeNamespace.rawValue
        case .subscribeTracks: MessageKind.subscribeTracks.rawValue
        case .namespace: MessageKind.namespace.rawValue
        case .namespaceDone: MessageKind.namespaceDone.rawValue
        case .publishBlocked: MessageKind.publishBlocked.rawValue
        case .requestOk: MessageKind.requestOk.rawValue
        case .requestError: MessageKind.requestError.rawValue
        case .fetch: MessageKind.fetch.rawValue
        case .fetchOk: MessageKind.fetchOk.rawValue
        case .fetchCancel: MessageKind.fetchCancel.rawValue
        case .trackStatus: MessageKind.trackStatus.rawValue
        }
    }
}
