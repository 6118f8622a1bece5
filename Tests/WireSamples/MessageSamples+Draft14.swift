// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQWire

extension MessageSamples {
    /// The messages of draft 14, all of which are on the control stream.
    static func draft14() throws -> [MessageSample] {
        try self.setups14() + self.requests14() + self.answers14() + self.namespaces14()
    }

    /// What draft 14 can say about a track.
    private static func properties14() throws -> PropertyList {
        try PropertyList(
            [
                KeyValuePair(type: PropertyType.objectDeliveryTimeout, integer: 900),
                KeyValuePair(type: PropertyType.maxCacheDuration, integer: 5_000),
                KeyValuePair(type: PropertyType.defaultPublisherGroupOrder, integer: 2),
            ].compactMap { $0 },
            coding: .draft14
        )
    }

    private static func parameters14(_ filter: SubscriptionFilter) -> SubscriptionParameters {
        SubscriptionParameters(
            subscriberPriority: 200,
            groupOrder: .descending,
            forward: false,
            filter: filter,
            objectDeliveryTimeout: 2_500
        )
    }

    private static func setups14() -> [MessageSample] {
        let client = SetupOptions(
            path: "/a?b",
            authority: "[::1]:4433",
            maxRequestID: RequestID(100),
            maxAuthTokenCacheSize: 4_096,
            tokens: [.useValue(type: 1, value: [0xFF])],
            implementation: "moqingbird",
            versions: [DraftVersion.draft14.setupNumber, 0xFF00_000D]
        )
        let server = SetupOptions(maxRequestID: RequestID(64), versions: [DraftVersion.draft14.setupNumber])
        return [
            MessageSample(.setup(Setup(options: client)), from: .client, on: .controlStart),
            MessageSample(.setup(Setup(options: server)), from: .server, on: .controlStart),
            MessageSample(.goaway(Goaway(newSessionURI: "moqt://example.net/x")), from: .server, on: .control),
            MessageSample(.maxRequestID(MaxRequestID(maximum: RequestID(64))), from: .client, on: .control),
            MessageSample(.requestsBlocked(RequestsBlocked(maximum: RequestID(2))), from: .server, on: .control),
        ]
    }

    private static func requests14() throws -> [MessageSample] {
        let id = RequestID(2)
        let start = Location(group: 70, object: 3)
        let filters: [SubscriptionFilter] = [
            .nextGroup, .nextObject, .absoluteStart(start), .absoluteRange(start: start, endGroup: 20_000),
        ]
        var messages: [MoQMessage] = filters.flatMap { filter -> [MoQMessage] in
            let parameters = self.parameters14(filter)
            return [
                .subscribe(Subscribe(requestID: id, track: self.track, parameters: parameters, tokens: self.tokens)),
                .trackStatus(TrackStatus(requestID: id, track: self.track, parameters: parameters)),
                .publishOk(PublishOk(requestID: RequestID(3), parameters: parameters)),
            ]
        }
        for filter in filters.dropFirst(2) {
            var parameters = self.parameters14(filter)
            parameters.groupOrder = nil
            let update = RequestUpdate(
                requestID: RequestID(4),
                existingRequestID: id,
                parameters: parameters,
                tokens: self.tokens
            )
            messages.append(.requestUpdate(update))
        }
        for largest in [nil, Location(group: 0, object: 0)] {
            let publish = Publish(
                requestID: RequestID(3),
                track: FullTrackName(namespace: self.track.namespace, name: [UInt8]()),
                trackAlias: TrackAlias(1),
                largestObject: largest,
                forward: largest == nil,
                tokens: self.tokens,
                properties: try self.properties14()
            )
            messages.append(.publish(publish))
        }
        let targets: [FetchTarget] = [
            .standalone(track: self.track, start: start, end: .object(Location(group: 71, object: 0))),
            .standalone(track: self.track, start: start, end: .group(900)),
            .relativeJoining(subscription: RequestID(2), groupsBack: 3),
            .absoluteJoining(subscription: RequestID(2), startGroup: 100),
        ]
        for (target, order) in zip(targets, [GroupOrder.ascending, .descending, nil, nil]) {
            let fetch = Fetch(
                requestID: RequestID(6),
                target: target,
                subscriberPriority: 0,
                groupOrder: order,
                tokens: self.tokens
            )
            messages.append(.fetch(fetch))
        }
        messages += [
            .unsubscribe(Unsubscribe(requestID: id)), .fetchCancel(FetchCancel(requestID: RequestID(6))),
        ]
        return messages.map { MessageSample($0, from: .client, on: .control) }
    }

    private static func answers14() throws -> [MessageSample] {
        let id = RequestID(2)
        let cached = try self.properties14().pairs().filter { $0.type == PropertyType.maxCacheDuration }
        var messages: [MoQMessage] = []
        for largest in [nil, Location(group: 1 << 40, object: 3)] {
            messages += [
                .subscribeOk(
                    SubscribeOk(
                        requestID: id,
                        trackAlias: TrackAlias(77_777),
                        expires: largest == nil ? nil : 60_000,
                        largestObject: largest,
                        groupOrder: largest == nil ? .ascending : .descending,
                        properties: largest == nil ? PropertyList() : try self.properties14()
                    )
                ),
                .requestOk(
                    RequestOk(
                        requestID: id,
                        answers: .trackStatus,
                        largestObject: largest,
                        properties: try self.properties14()
                    )
                ),
                .fetchOk(
                    FetchOk(
                        requestID: id,
                        endOfTrack: largest == nil,
                        end: largest == nil ? .group(8) : .object(Location(group: 8, object: 70)),
                        groupOrder: largest == nil ? .ascending : .descending,
                        properties: try PropertyList(cached, coding: .draft14)
                    )
                ),
            ]
        }
        messages += [
            .publishDone(PublishDone(requestID: id, status: .malformedTrack, streamCount: 12, reason: "too slow")),
            .publishDone(PublishDone(requestID: id, status: .unknown(0x11C), streamCount: nil)),
        ]
        let codes: [(RequestKind, RequestErrorCode)] = [
            (.subscribe, .doesNotExist), (.publish, .uninterested), (.fetch, .noObjects), (.fetch, .malformedTrack),
            (.trackStatus, .invalidRange), (.publishNamespace, .expiredAuthToken),
            (.subscribeNamespace, .prefixOverlap), (.subscribe, .unknown(0x77)),
        ]
        for (kind, code) in codes {
            messages.append(
                .requestError(RequestError(requestID: id, answers: kind, code: code, reason: "no \u{1F426}"))
            )
        }
        return messages.map { MessageSample($0, from: .server, on: .control) }
    }

    private static func namespaces14() -> [MessageSample] {
        let id = RequestID(8)
        let namespace = self.track.namespace
        return [
            MessageSample(
                .publishNamespace(PublishNamespace(requestID: id, namespace: namespace, tokens: self.tokens)),
                from: .client,
                on: .control
            ),
            MessageSample(
                .publishNamespaceDone(PublishNamespaceDone(namespace: namespace)),
                from: .client,
                on: .control
            ),
            MessageSample(
                .publishNamespaceCancel(
                    PublishNamespaceCancel(namespace: namespace, code: .uninterested, reason: "no")
                ),
                from: .server,
                on: .control
            ),
            MessageSample(
                .subscribeNamespace(
                    SubscribeNamespace(requestID: id, prefix: namespace, interest: .both, tokens: self.tokens)
                ),
                from: .client,
                on: .control
            ),
            MessageSample(
                .unsubscribeNamespace(UnsubscribeNamespace(prefix: namespace)),
                from: .client,
                on: .control
            ),
            MessageSample(
                .requestOk(RequestOk(requestID: id, answers: .publishNamespace)),
                from: .server,
                on: .control
            ),
            MessageSample(
                .requestOk(RequestOk(requestID: id, answers: .subscribeNamespace)),
                from: .server,
                on: .control
            ),
        ]
    }
}
