// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

extension ErrorTables {
    /// The numbers of draft 14, where each kind of request counts its errors by itself (draft-14 §13.1).
    static let draft14 = ErrorTables(
        session: sessionUpToDraft19,
        request: anyRequest,
        requestsOfKind: [
            .subscribe: aboutTracks,
            .trackStatus: aboutTracks,
            .fetch: aboutTracks + [
                .init(.noObjects, 0x6), .init(.invalidJoiningRequestID, 0x7), .init(.unknownStatusInRange, 0x8),
                .init(.malformedTrack, 0x9),
            ],
            .publish: anyRequest + [.init(.uninterested, 0x4)],
            .publishNamespace: anyRequest + aboutTokens + [.init(.uninterested, 0x4)],
            .subscribeNamespace: anyRequest + aboutTokens + [.init(.doesNotExist, 0x4), .init(.prefixOverlap, 0x5)],
        ],
        publishDone: [
            .init(.internalError, 0x0), .init(.unauthorized, 0x1), .init(.trackEnded, 0x2),
            .init(.subscriptionEnded, 0x3), .init(.goingAway, 0x4), .init(.expired, 0x5),
            .init(.tooFarBehind, 0x6), .init(.malformedTrack, 0x7),
        ],
        streamReset: [
            .init(.internalError, 0x0), .init(.cancelled, 0x1), .init(.deliveryTimeout, 0x2),
            .init(.sessionClosed, 0x3),
        ]
    )

    private static let anyRequest: [Entry<RequestErrorCode>] = [
        .init(.internalError, 0x0), .init(.unauthorized, 0x1), .init(.timeout, 0x2), .init(.notSupported, 0x3),
    ]

    private static let aboutTokens: [Entry<RequestErrorCode>] = [
        .init(.malformedAuthToken, 0x10), .init(.expiredAuthToken, 0x12),
    ]

    private static let aboutTracks: [Entry<RequestErrorCode>] =
        anyRequest + aboutTokens + [.init(.doesNotExist, 0x4), .init(.invalidRange, 0x5)]
}
