// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

extension DraftProfile {
    /// Draft 18: a pair of unidirectional control streams, a bidirectional stream for each request, integers of up to 64
    /// bits, parameters with a form of their own.
    public static let draft18 = DraftProfile(
        version: .draft18,
        coding: .draft18,
        controlShape: .pairWithRequestStreams,
        messageForm: .parameters,
        setupNegotiatesVersion: false,
        repliesCarryRequestID: false,
        setupOptionsAreCounted: false,
        goawayForm: .uriTimeoutRequestID,
        minimumNamespaceFields: 0,
        filterEndGroupIsDelta: true,
        subscribeNamespaceHasOptions: false,
        requestOkAnswersPublish: true,
        namespaceAnswerComesFirst: true,
        hasRedirect: true,
        zeroDeliveryTimeoutIsAllowed: true,
        unknownStreamCount: 1 << 62 - 1,
        unknownParameter: .violation,
        misplacedParameter: .violation,
        repeatedSetupOption: .ignore,
        hasRequestLimit: false,
        joiningRule: .forwardState,
        parameters: [
            ParameterDescriptor(
                0x02,
                .objectDeliveryTimeout,
                .varint,
                in: [.subscribe, .publishOk, .updateSubscription]
            ),
            ParameterDescriptor(
                0x03,
                .authorizationToken,
                .lengthPrefixed,
                in: .anyRequest,
                repeatable: true
            ),
            ParameterDescriptor(0x04, .rendezvousTimeout, .varint, in: .subscribe),
            ParameterDescriptor(
                0x06,
                .subgroupDeliveryTimeout,
                .varint,
                in: [.subscribe, .publishOk, .updateSubscription]
            ),
            ParameterDescriptor(0x08, .expires, .varint, in: [.subscribeOk, .publish, .publishOk, .updateOk]),
            ParameterDescriptor(
                0x09,
                .largestObject,
                .bare,
                in: [.subscribeOk, .publish, .updateOk, .trackStatusOk]
            ),
            ParameterDescriptor(0x0A, .fillTimeout, .varint, in: .fetch),
            ParameterDescriptor(
                0x10,
                .forward,
                .uint8,
                in: [.subscribe, .publish, .publishOk, .subscribeTracks, .updateSubscription],
                range: 0...1
            ),
            ParameterDescriptor(
                0x20,
                .subscriberPriority,
                .uint8,
                in: [.subscribe, .fetch, .publishOk, .updateSubscription, .updateFetch]
            ),
            ParameterDescriptor(
                0x21,
                .subscriptionFilter,
                .lengthPrefixed,
                in: [.subscribe, .publishOk, .updateSubscription]
            ),
            ParameterDescriptor(0x22, .groupOrder, .uint8, in: [.subscribe, .publishOk, .fetch], range: 1...2),
            ParameterDescriptor(
                0x32,
                .newGroupRequest,
                .varint,
                in: [.subscribe, .publishOk, .updateSubscription]
            ),
            // The text says "bare", but every implementation that is known to have it puts a length before it.
            ParameterDescriptor(
                0x34,
                .trackNamespacePrefix,
                .lengthPrefixed,
                in: .updateNamespaceSubscription
            ),
        ],
        messages: [
            MessageDescriptor(0x2F00, .setup, .controlStart),
            MessageDescriptor(0x10, .goaway, [.control, .anyRequester, .anyResponder]),
            MessageDescriptor(0x03, .subscribe, .requestStart),
            MessageDescriptor(0x04, .subscribeOk, .responder(.subscribe)),
            MessageDescriptor(0x05, .requestError, [.anyRequester, .anyResponder]),
            MessageDescriptor(
                0x02,
                .requestUpdate,
                [
                    .requester(
                        .subscribe,
                        .publish,
                        .fetch,
                        .publishNamespace,
                        .subscribeNamespace,
                        .subscribeTracks
                    ),
                    .responder(.publish),
                ]
            ),
            MessageDescriptor(0x1D, .publish, .requestStart),
            MessageDescriptor(0x0B, .publishDone, [.responder(.subscribe), .requester(.publish)]),
            MessageDescriptor(0x16, .fetch, .requestStart),
            MessageDescriptor(0x18, .fetchOk, .responder(.fetch)),
            MessageDescriptor(0x0D, .trackStatus, .requestStart),
            MessageDescriptor(0x06, .publishNamespace, .requestStart),
            MessageDescriptor(0x07, .requestOk, [.anyRequester, .anyResponder]),
            MessageDescriptor(0x08, .namespace, .responder(.subscribeNamespace)),
            MessageDescriptor(0x0E, .namespaceDone, .responder(.subscribeNamespace)),
            MessageDescriptor(0x0F, .publishBlocked, .responder(.subscribeTracks)),
            MessageDescriptor(0x50, .subscribeNamespace, .requestStart),
            MessageDescriptor(0x51, .subscribeTracks, .requestStart),
            // A leftover in the draft's table: PUBLISH_OK is written as REQUEST_OK, but read under both numbers.
            MessageDescriptor(0x1E, .publishOk, .responder(.publish)),
        ],
        errors: .draft18,
        data: DataPlaneRules(
            coding: .draft18,
            subgroupTypeBits: 0x6F,
            datagramTypeBits: 0x2F,
            statusDatagramTypeBits: 0x2D,
            objectsMayBeMissing: false,
            fetchObjectsAreComplete: false,
            fetchIDsAreDeltas: true,
            hasPadding: true,
            hasUnidirectionalControl: true
        )
    )
}
