// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

extension DraftProfile {
    /// Draft 16: one bidirectional control stream, QUIC's integers, parameters as key-value pairs.
    public static let draft16 = DraftProfile(
        version: .draft16,
        coding: .draft16,
        controlShape: .singleBidirectional,
        messageForm: .parameters,
        setupNegotiatesVersion: false,
        repliesCarryRequestID: true,
        setupOptionsAreCounted: true,
        goawayForm: .uri,
        minimumNamespaceFields: 1,
        filterEndGroupIsDelta: false,
        subscribeNamespaceHasOptions: true,
        requestOkAnswersPublish: false,
        namespaceAnswerComesFirst: false,
        hasRedirect: false,
        zeroDeliveryTimeoutIsAllowed: false,
        unknownStreamCount: 1 << 62 - 1,
        unknownParameter: .violation,
        misplacedParameter: .ignore,
        repeatedSetupOption: .violation,
        hasRequestLimit: true,
        joiningRule: .largestObjectFilter,
        parameters: [
            ParameterDescriptor(
                0x02,
                .objectDeliveryTimeout,
                .varint,
                in: [.subscribe, .publishOk, .updateSubscription],
                range: 1...UInt64.max
            ),
            ParameterDescriptor(
                0x03,
                .authorizationToken,
                .lengthPrefixed,
                in: .anyRequest,
                repeatable: true
            ),
            ParameterDescriptor(0x08, .expires, .varint, in: [.subscribeOk, .publish, .publishOk, .anyRequestOk]),
            ParameterDescriptor(
                0x09,
                .largestObject,
                .lengthPrefixed,
                in: [.subscribeOk, .publish, .anyRequestOk]
            ),
            ParameterDescriptor(
                0x10,
                .forward,
                .varint,
                in: [
                    .subscribe, .publish, .publishOk, .subscribeNamespace, .updateSubscription,
                    .updateNamespaceSubscription,
                ],
                range: 0...1
            ),
            ParameterDescriptor(
                0x20,
                .subscriberPriority,
                .varint,
                in: [.subscribe, .fetch, .publishOk, .updateSubscription, .updateFetch],
                range: 0...255
            ),
            ParameterDescriptor(
                0x21,
                .subscriptionFilter,
                .lengthPrefixed,
                in: [.subscribe, .publishOk, .updateSubscription]
            ),
            ParameterDescriptor(0x22, .groupOrder, .varint, in: [.subscribe, .publishOk, .fetch], range: 1...2),
            ParameterDescriptor(
                0x32,
                .newGroupRequest,
                .varint,
                in: [.subscribe, .publishOk, .updateSubscription]
            ),
        ],
        messages: [
            MessageDescriptor(0x20, .clientSetup, [.controlStart, .requestStart]),
            MessageDescriptor(0x21, .serverSetup, .controlStart),
            MessageDescriptor(0x10, .goaway, .control),
            MessageDescriptor(0x15, .maxRequestID, .control),
            MessageDescriptor(0x1A, .requestsBlocked, .control),
            MessageDescriptor(0x03, .subscribe, .control),
            MessageDescriptor(0x04, .subscribeOk, .control),
            MessageDescriptor(0x05, .requestError, [.control, .responder(.subscribeNamespace)]),
            MessageDescriptor(0x02, .requestUpdate, [.control, .requester(.subscribeNamespace)]),
            MessageDescriptor(0x0A, .unsubscribe, .control),
            MessageDescriptor(0x1D, .publish, .control),
            MessageDescriptor(0x1E, .publishOk, .control),
            MessageDescriptor(0x0B, .publishDone, .control),
            MessageDescriptor(0x16, .fetch, .control),
            MessageDescriptor(0x18, .fetchOk, .control),
            MessageDescriptor(0x17, .fetchCancel, .control),
            MessageDescriptor(0x0D, .trackStatus, .control),
            MessageDescriptor(0x06, .publishNamespace, .control),
            MessageDescriptor(0x07, .requestOk, [.control, .responder(.subscribeNamespace)]),
            MessageDescriptor(0x08, .namespace, .responder(.subscribeNamespace)),
            MessageDescriptor(0x09, .publishNamespaceDone, .control),
            MessageDescriptor(0x0E, .namespaceDone, .responder(.subscribeNamespace)),
            MessageDescriptor(0x0C, .publishNamespaceCancel, .control),
            MessageDescriptor(0x11, .subscribeNamespace, .requestStart),
        ],
        errors: .draft16,
        data: DataPlaneRules(
            coding: .draft16,
            subgroupTypeBits: 0x2F,
            datagramTypeBits: 0x2F,
            statusDatagramTypeBits: 0x2D,
            objectsMayBeMissing: false,
            fetchObjectsAreComplete: false,
            fetchIDsAreDeltas: false,
            hasPadding: false,
            hasUnidirectionalControl: false
        )
    )
}
