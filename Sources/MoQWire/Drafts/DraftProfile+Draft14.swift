// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

extension DraftProfile {
    /// Draft 14: one bidirectional control stream, QUIC's integers, versions in the setup messages, and a message of its
    /// own, with fields of its own, for each kind of answer.
    public static let draft14 = DraftProfile(
        version: .draft14,
        coding: .draft14,
        controlShape: .singleBidirectional,
        messageForm: .fields,
        setupNegotiatesVersion: true,
        repliesCarryRequestID: true,
        setupOptionsAreCounted: true,
        goawayForm: .uri,
        minimumNamespaceFields: 1,
        filterEndGroupIsDelta: false,
        subscribeNamespaceHasOptions: false,
        requestOkAnswersPublish: false,
        namespaceAnswerComesFirst: false,
        hasRedirect: false,
        zeroDeliveryTimeoutIsAllowed: true,
        unknownStreamCount: 1 << 62 - 1,
        unknownParameter: .ignore,
        misplacedParameter: .ignore,
        repeatedSetupOption: .violation,
        hasRequestLimit: true,
        joiningRule: .largestObjectFilter,
        parameters: [
            ParameterDescriptor(
                0x02,
                .objectDeliveryTimeout,
                .varint,
                in: [
                    .subscribe, .subscribeOk, .publish, .publishOk, .trackStatus, .trackStatusOk, .updateSubscription,
                ]
            ),
            ParameterDescriptor(
                0x03,
                .authorizationToken,
                .lengthPrefixed,
                in: .anyRequest,
                repeatable: true
            ),
            ParameterDescriptor(
                0x04,
                .maxCacheDuration,
                .varint,
                in: [.publish, .subscribeOk, .fetchOk, .trackStatusOk]
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
            MessageDescriptor(0x05, .subscribeError, .control),
            MessageDescriptor(0x02, .subscribeUpdate, .control),
            MessageDescriptor(0x0A, .unsubscribe, .control),
            MessageDescriptor(0x1D, .publish, .control),
            MessageDescriptor(0x1E, .publishOk, .control),
            MessageDescriptor(0x1F, .publishError, .control),
            MessageDescriptor(0x0B, .publishDone, .control),
            MessageDescriptor(0x16, .fetch, .control),
            MessageDescriptor(0x18, .fetchOk, .control),
            MessageDescriptor(0x19, .fetchError, .control),
            MessageDescriptor(0x17, .fetchCancel, .control),
            MessageDescriptor(0x0D, .trackStatus, .control),
            MessageDescriptor(0x0E, .trackStatusOk, .control),
            MessageDescriptor(0x0F, .trackStatusError, .control),
            MessageDescriptor(0x06, .publishNamespace, .control),
            MessageDescriptor(0x07, .publishNamespaceOk, .control),
            MessageDescriptor(0x08, .publishNamespaceError, .control),
            MessageDescriptor(0x09, .publishNamespaceDone, .control),
            MessageDescriptor(0x0C, .publishNamespaceCancel, .control),
            MessageDescriptor(0x11, .subscribeNamespace, .control),
            MessageDescriptor(0x12, .subscribeNamespaceOk, .control),
            MessageDescriptor(0x13, .subscribeNamespaceError, .control),
            MessageDescriptor(0x14, .unsubscribeNamespace, .control),
        ],
        errors: .draft14,
        data: DataPlaneRules(
            coding: .draft14,
            subgroupTypeBits: 0x0F,
            datagramTypeBits: 0x27,
            statusDatagramTypeBits: 0x21,
            objectsMayBeMissing: true,
            fetchObjectsAreComplete: true,
            fetchIDsAreDeltas: false,
            hasPadding: false,
            hasUnidirectionalControl: false
        )
    )
}
