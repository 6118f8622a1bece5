// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// The messages that a parameter may appear in, one bit per message (draft-18 §10.2.1, "Parameter Scope").
public struct ParameterScope: OptionSet, Hashable, Sendable {
    /// The bits.
    public let rawValue: UInt32

    /// Makes a set of its bits.
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// SUBSCRIBE.
    public static let subscribe = ParameterScope(rawValue: 1 << 0)
    /// SUBSCRIBE_OK.
    public static let subscribeOk = ParameterScope(rawValue: 1 << 1)
    /// PUBLISH.
    public static let publish = ParameterScope(rawValue: 1 << 2)
    /// PUBLISH_OK.
    public static let publishOk = ParameterScope(rawValue: 1 << 3)
    /// FETCH.
    public static let fetch = ParameterScope(rawValue: 1 << 4)
    /// FETCH_OK.
    public static let fetchOk = ParameterScope(rawValue: 1 << 5)
    /// TRACK_STATUS.
    public static let trackStatus = ParameterScope(rawValue: 1 << 6)
    /// The answer to TRACK_STATUS.
    public static let trackStatusOk = ParameterScope(rawValue: 1 << 7)
    /// PUBLISH_NAMESPACE.
    public static let publishNamespace = ParameterScope(rawValue: 1 << 8)
    /// The answer to PUBLISH_NAMESPACE.
    public static let publishNamespaceOk = ParameterScope(rawValue: 1 << 9)
    /// SUBSCRIBE_NAMESPACE.
    public static let subscribeNamespace = ParameterScope(rawValue: 1 << 10)
    /// The answer to SUBSCRIBE_NAMESPACE.
    public static let subscribeNamespaceOk = ParameterScope(rawValue: 1 << 11)
    /// SUBSCRIBE_TRACKS.
    public static let subscribeTracks = ParameterScope(rawValue: 1 << 12)
    /// The answer to SUBSCRIBE_TRACKS.
    public static let subscribeTracksOk = ParameterScope(rawValue: 1 << 13)
    /// REQUEST_UPDATE of a subscription, whichever side asked for it.
    public static let updateSubscription = ParameterScope(rawValue: 1 << 14)
    /// REQUEST_UPDATE of a fetch.
    public static let updateFetch = ParameterScope(rawValue: 1 << 15)
    /// REQUEST_UPDATE of a PUBLISH_NAMESPACE.
    public static let updatePublishNamespace = ParameterScope(rawValue: 1 << 16)
    /// REQUEST_UPDATE of a SUBSCRIBE_NAMESPACE or SUBSCRIBE_TRACKS.
    public static let updateNamespaceSubscription = ParameterScope(rawValue: 1 << 17)
    /// The answer to REQUEST_UPDATE.
    public static let updateOk = ParameterScope(rawValue: 1 << 18)

    /// REQUEST_UPDATE of anything.
    public static let anyUpdate: ParameterScope = [
        .updateSubscription, .updateFetch, .updatePublishNamespace, .updateNamespaceSubscription,
    ]
    /// Any REQUEST_OK.
    public static let anyRequestOk: ParameterScope = [
        .trackStatusOk, .publishNamespaceOk, .subscribeNamespaceOk, .subscribeTracksOk, .updateOk,
    ]
    /// Any message that asks for something.
    public static let anyRequest: ParameterScope = [
        .subscribe, .publish, .fetch, .trackStatus, .publishNamespace, .subscribeNamespace, .subscribeTracks,
        .anyUpdate,
    ]
}
