// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// The numbers that a draft gives to the codes. A code without an entry has no number in that draft.
public struct ErrorTables: Sendable {
    /// A code and its number.
    public struct Entry<Code: Hashable & Sendable>: Sendable {
        /// The code.
        public var code: Code
        /// Its number.
        public var number: UInt64

        /// Makes an entry.
        public init(_ code: Code, _ number: UInt64) {
            self.code = code
            self.number = number
        }
    }

    /// Codes of session closes.
    public var session: [Entry<SessionErrorCode>]
    /// Codes of REQUEST_ERROR.
    public var request: [Entry<RequestErrorCode>]
    /// Codes for the failure of one kind of request, where the draft counts them by kind.
    public var requestsOfKind: [RequestKind: [Entry<RequestErrorCode>]] = [:]
    /// Status codes of PUBLISH_DONE.
    public var publishDone: [Entry<PublishDoneStatus>]
    /// Codes of stream resets.
    public var streamReset: [Entry<StreamResetCode>]
}

extension ErrorTables {
    /// The codes for the failure of a request of this kind.
    func requestErrors(answering kind: RequestKind?) -> [Entry<RequestErrorCode>] {
        kind.flatMap { self.requestsOfKind[$0] } ?? self.request
    }

    /// Whether there is a number for this code in the answer to a request of this kind.
    public func has(_ code: RequestErrorCode, answering kind: RequestKind?) -> Bool {
        self.requestErrors(answering: kind).contains { $0.code == code }
    }

    /// The numbers of draft 16.
    static let draft16 = ErrorTables(
        session: sessionUpToDraft19,
        request: commonRequest + [.init(.duplicateSubscription, 0x19)],
        publishDone: commonPublishDone + [
            .init(.expired, 0x5), .init(.tooFarBehind, 0x6),
        ],
        streamReset: commonStreamReset + [.init(.unknownObjectStatus, 0x4)]
    )

    /// The numbers of draft 18. EXPIRED and TOO_FAR_BEHIND changed places.
    static let draft18 = ErrorTables(
        session: sessionUpToDraft19.filter { $0.code != .tooManyRequests },
        request: commonRequest + [
            .init(.duplicateSubscription, 0x19), .init(.goingAway, 0x6), .init(.excessiveLoad, 0x9),
            .init(.namespaceTooLarge, 0x31), .init(.unsupportedExtension, 0x33), .init(.redirect, 0x34),
        ],
        publishDone: commonPublishDone + [
            .init(.tooFarBehind, 0x5), .init(.expired, 0x6), .init(.excessiveLoad, 0x9),
        ],
        streamReset: commonStreamReset + [
            .init(.goingAway, 0x4), .init(.tooFarBehind, 0x5), .init(.unknownObjectStatus, 0x6),
            .init(.expiredAuthToken, 0x7), .init(.excessiveLoad, 0x9),
        ]
    )

    static let sessionUpToDraft19: [Entry<SessionErrorCode>] = [
        .init(.noError, 0x0), .init(.internalError, 0x1), .init(.unauthorized, 0x2), .init(.protocolViolation, 0x3),
        .init(.invalidRequestID, 0x4), .init(.duplicateTrackAlias, 0x5), .init(.keyValueFormattingError, 0x6),
        .init(.tooManyRequests, 0x7), .init(.invalidPath, 0x8), .init(.malformedPath, 0x9),
        .init(.goawayTimeout, 0x10), .init(.controlMessageTimeout, 0x11), .init(.dataStreamTimeout, 0x12),
        .init(.authTokenCacheOverflow, 0x13), .init(.duplicateAuthTokenAlias, 0x14),
        .init(.versionNegotiationFailed, 0x15), .init(.malformedAuthToken, 0x16),
        .init(.unknownAuthTokenAlias, 0x17), .init(.expiredAuthToken, 0x18), .init(.invalidAuthority, 0x19),
        .init(.malformedAuthority, 0x1A),
    ]

    private static let commonRequest: [Entry<RequestErrorCode>] = [
        .init(.internalError, 0x0), .init(.unauthorized, 0x1), .init(.timeout, 0x2), .init(.notSupported, 0x3),
        .init(.malformedAuthToken, 0x4), .init(.expiredAuthToken, 0x5), .init(.doesNotExist, 0x10),
        .init(.invalidRange, 0x11), .init(.malformedTrack, 0x12), .init(.uninterested, 0x20),
        .init(.prefixOverlap, 0x30), .init(.invalidJoiningRequestID, 0x32),
    ]

    private static let commonPublishDone: [Entry<PublishDoneStatus>] = [
        .init(.internalError, 0x0), .init(.unauthorized, 0x1), .init(.trackEnded, 0x2),
        .init(.subscriptionEnded, 0x3), .init(.goingAway, 0x4), .init(.updateFailed, 0x8),
        .init(.malformedTrack, 0x12),
    ]

    private static let commonStreamReset: [Entry<StreamResetCode>] = [
        .init(.internalError, 0x0), .init(.cancelled, 0x1), .init(.deliveryTimeout, 0x2),
        .init(.sessionClosed, 0x3), .init(.malformedTrack, 0x12),
    ]
}
