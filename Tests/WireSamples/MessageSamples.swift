// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

package import MoQWire

/// One or more messages of every kind that a draft has, with all the fields it has.
package enum MessageSamples {
    package static let track = FullTrackName(namespace: TrackNamespace(path: "demo/ts"), name: "t")
    package static let tokens: [AuthorizationToken] = [
        .useValue(type: 0, value: [1, 2, 3]), .register(alias: 300, type: 7, value: []), .useAlias(300),
        .delete(alias: 1),
    ]

    package static func all(_ profile: DraftProfile) throws -> [MessageSample] {
        guard profile != .draft14 else { return try self.draft14() }
        return try self.session(profile) + self.subscriptions(profile) + self.publications(profile)
            + self.fetches(profile)
            + self.namespaces(profile) + self.answers(profile)
    }

    package static func properties(_ profile: DraftProfile) throws -> PropertyList {
        try PropertyList(
            [
                KeyValuePair(type: PropertyType.dynamicGroups, integer: 1),
                KeyValuePair(type: PropertyType.immutable, bytes: [0x0E, 0x20]),
                KeyValuePair(type: PropertyType.maxCacheDuration, integer: 5_000),
                KeyValuePair(type: 0x3FFF, bytes: Array(repeating: 9, count: 200)),
            ].compactMap { $0 },
            coding: profile.coding
        )
    }

    package static func parameters(_ profile: DraftProfile) -> SubscriptionParameters {
        var parameters = SubscriptionParameters(
            subscriberPriority: 200,
            groupOrder: .descending,
            forward: false,
            filter: .absoluteRange(start: Location(group: 70, object: 3), endGroup: 20_000),
            objectDeliveryTimeout: 2_500,
            newGroupRequest: 0
        )
        if profile.version >= .draft18 {
            parameters.subgroupDeliveryTimeout = 10_000
        }
        return parameters
    }

    private static func session(_ profile: DraftProfile) -> [MessageSample] {
        let modern = profile.version >= .draft18
        var client = SetupOptions(
            path: "/a%20b?c=d",
            authority: "[::1]:4433",
            maxAuthTokenCacheSize: 4_096,
            tokens: [.useValue(type: 1, value: [0xFF]), .register(alias: 0, type: 0, value: [0])],
            implementation: "moqingbird",
            unknown: [
                KeyValuePair(type: 0x9D, bytes: [1]), KeyValuePair(type: 0x9D, bytes: [2]),
                KeyValuePair(type: 0x11C, integer: 70_000),
            ].compactMap { $0 }
        )
        var server = SetupOptions(tokens: self.tokens, implementation: "moqingbird")
        if profile.hasRequestLimit {
            client.maxRequestID = RequestID(100)
            server.maxRequestID = RequestID(1_000)
        }
        var samples = [
            MessageSample(.setup(Setup(options: client)), from: .client, on: .controlStart),
            MessageSample(.setup(Setup(options: server)), from: .server, on: .controlStart),
            MessageSample(.setup(Setup()), from: .server, on: .controlStart),
            MessageSample(
                .goaway(
                    Goaway(
                        newSessionURI: "moqt://example.net/x",
                        timeout: modern ? 3_000 : nil,
                        requestID: modern ? RequestID(4) : nil
                    )
                ),
                from: .server,
                on: .control
            ),
        ]
        if modern {
            samples.append(
                MessageSample(.goaway(Goaway(timeout: 0)), from: .client, on: .requester(.publish))
            )
        } else {
            samples += [
                MessageSample(.maxRequestID(MaxRequestID(maximum: RequestID(64))), from: .client, on: .control),
                MessageSample(.requestsBlocked(RequestsBlocked(maximum: RequestID(2))), from: .server, on: .control),
            ]
        }
        return samples
    }

    private static func subscriptions(_ profile: DraftProfile) throws -> [MessageSample] {
        let places = Places(profile)
        let modern = profile.version >= .draft18
        let id = RequestID(2)
        let reply = profile.repliesCarryRequestID ? id : nil
        var full = self.parameters(profile)
        full.rendezvousTimeout = modern ? 1_000 : nil
        var update = self.parameters(profile)
        update.groupOrder = nil
        var samples = [
            MessageSample(
                .subscribe(Subscribe(requestID: id, track: self.track, parameters: full, tokens: self.tokens)),
                from: .client,
                on: places.request
            ),
            MessageSample(
                .subscribeOk(
                    SubscribeOk(
                        requestID: reply,
                        trackAlias: TrackAlias(77_777),
                        expires: 0,
                        largestObject: Location(group: 1 << 40, object: 3),
                        properties: try self.properties(profile)
                    )
                ),
                from: .server,
                on: places.answer(to: .subscribe)
            ),
            MessageSample(
                .requestUpdate(
                    RequestUpdate(
                        requestID: RequestID(4),
                        existingRequestID: reply,
                        parameters: update,
                        tokens: self.tokens
                    )
                ),
                from: .client,
                on: places.later(.subscribe)
            ),
            MessageSample(
                .requestUpdate(RequestUpdate(requestID: RequestID(4), existingRequestID: reply)),
                from: .client,
                on: modern ? .responder(.publish, answering: nil) : .control
            ),
            MessageSample(
                .trackStatus(TrackStatus(requestID: id, track: self.track, tokens: self.tokens)),
                from: .client,
                on: places.request
            ),
        ]
        for filter in [
            SubscriptionFilter.nextGroup, .nextObject, .absoluteStart(Location(group: 9, object: 10)),
        ] {
            let message = Subscribe(
                requestID: RequestID(1),
                track: self.track,
                parameters: SubscriptionParameters(filter: filter)
            )
            samples.append(MessageSample(.subscribe(message), from: .server, on: places.request))
        }
        if !modern {
            samples.append(MessageSample(.unsubscribe(Unsubscribe(requestID: id)), from: .client, on: .control))
        }
        return samples
    }

    private static func publications(_ profile: DraftProfile) throws -> [MessageSample] {
        let places = Places(profile)
        let id = RequestID(3)
        let reply = profile.repliesCarryRequestID ? id : nil
        return [
            MessageSample(
                .publish(
                    Publish(
                        requestID: id,
                        track: FullTrackName(namespace: self.track.namespace, name: [UInt8]()),
                        trackAlias: TrackAlias(1),
                        expires: 60_000,
                        largestObject: Location(group: 0, object: 0),
                        forward: false,
                        tokens: self.tokens,
                        properties: try self.properties(profile)
                    )
                ),
                from: .server,
                on: places.request
            ),
            MessageSample(
                .publishOk(PublishOk(requestID: reply, parameters: self.parameters(profile), expires: 1)),
                from: .client,
                on: places.answer(to: .publish)
            ),
            MessageSample(
                .publishDone(
                    PublishDone(requestID: reply, status: .tooFarBehind, streamCount: 12, reason: "too slow")
                ),
                from: .server,
                on: places.later(.publish)
            ),
            MessageSample(
                .publishDone(PublishDone(requestID: reply, status: .unknown(0x11C), streamCount: nil)),
                from: .server,
                on: profile.version >= .draft18 ? .responder(.subscribe, answering: nil) : .control
            ),
        ]
    }

    private static func fetches(_ profile: DraftProfile) throws -> [MessageSample] {
        let places = Places(profile)
        let modern = profile.version >= .draft18
        let id = RequestID(6)
        let reply = profile.repliesCarryRequestID ? id : nil
        let start = Location(group: 5, object: 6)
        let targets: [FetchTarget] = [
            .standalone(track: self.track, start: start, end: .object(Location(group: 7, object: 0))),
            .standalone(track: self.track, start: start, end: .group(900)),
            .relativeJoining(subscription: RequestID(2), groupsBack: 3),
            .absoluteJoining(subscription: RequestID(2), startGroup: 100),
        ]
        var samples = targets.map { target in
            MessageSample(
                .fetch(
                    Fetch(
                        requestID: id,
                        target: target,
                        subscriberPriority: 0,
                        groupOrder: .descending,
                        fillTimeout: modern ? 0 : nil,
                        tokens: self.tokens
                    )
                ),
                from: .client,
                on: places.request
            )
        }
        for end in [FetchEnd.group(8), .object(Location(group: 8, object: 70))] {
            let message = FetchOk(
                requestID: reply,
                endOfTrack: end == .group(8),
                end: end,
                properties: try self.properties(profile)
            )
            samples.append(MessageSample(.fetchOk(message), from: .server, on: places.answer(to: .fetch)))
        }
        if !modern {
            samples.append(MessageSample(.fetchCancel(FetchCancel(requestID: id)), from: .client, on: .control))
        }
        return samples
    }

    private static func namespaces(_ profile: DraftProfile) -> [MessageSample] {
        let places = Places(profile)
        let modern = profile.version >= .draft18
        let id = RequestID(8)
        let suffix = TrackNamespace(["x", "y"])
        let responder = StreamContext.responder(.subscribeNamespace, answering: nil)
        var samples = [
            MessageSample(
                .publishNamespace(
                    PublishNamespace(requestID: id, namespace: self.track.namespace, tokens: self.tokens)
                ),
                from: .client,
                on: places.request
            ),
            MessageSample(
                .subscribeNamespace(
                    SubscribeNamespace(
                        requestID: id,
                        prefix: TrackNamespace(),
                        interest: modern ? .namespaces : .both,
                        forward: modern ? nil : false,
                        tokens: self.tokens
                    )
                ),
                from: .client,
                on: .requestStart
            ),
            MessageSample(.namespace(Namespace(suffix: suffix)), from: .server, on: responder),
            MessageSample(.namespaceDone(NamespaceDone(suffix: TrackNamespace())), from: .server, on: responder),
        ]
        if modern {
            samples += [
                MessageSample(
                    .subscribeTracks(
                        SubscribeTracks(requestID: id, prefix: suffix, forward: true, tokens: self.tokens)
                    ),
                    from: .client,
                    on: .requestStart
                ),
                MessageSample(
                    .publishBlocked(PublishBlocked(suffix: suffix, name: [0, 255])),
                    from: .server,
                    on: .responder(.subscribeTracks, answering: nil)
                ),
                MessageSample(
                    .requestUpdate(RequestUpdate(requestID: RequestID(10), namespacePrefix: suffix)),
                    from: .client,
                    on: .requester(.subscribeNamespace)
                ),
            ]
        } else {
            samples += [
                MessageSample(
                    .publishNamespaceDone(PublishNamespaceDone(requestID: id)),
                    from: .client,
                    on: .control
                ),
                MessageSample(
                    .publishNamespaceCancel(
                        PublishNamespaceCancel(requestID: id, code: .uninterested, reason: "no")
                    ),
                    from: .server,
                    on: .control
                ),
            ]
        }
        return samples
    }

    private static func answers(_ profile: DraftProfile) throws -> [MessageSample] {
        let places = Places(profile)
        let modern = profile.version >= .draft18
        let id = RequestID(8)
        let reply = profile.repliesCarryRequestID ? id : nil
        var samples: [MessageSample] = []
        for kind in RequestKind.allCases where kind != .requestUpdate && (modern || kind != .subscribeTracks) {
            let context = places.answer(to: kind)
            let answers = context == .control ? nil : kind
            samples.append(
                MessageSample(
                    .requestError(
                        RequestError(
                            requestID: reply,
                            answers: answers,
                            code: .doesNotExist,
                            retryAfter: 0,
                            reason: "no such track \u{1F426}"
                        )
                    ),
                    from: .server,
                    on: context
                )
            )
            guard ![.subscribe, .publish, .fetch].contains(kind) else {
                continue
            }
            samples.append(
                MessageSample(.requestOk(RequestOk(requestID: reply, answers: answers)), from: .server, on: context)
            )
        }
        var status = RequestOk(requestID: reply, largestObject: Location(group: 1, object: 2))
        if modern {
            status.answers = .trackStatus
            status.properties = try self.properties(profile)
            samples.append(
                MessageSample(
                    .requestOk(RequestOk(answers: .requestUpdate, expires: 5, largestObject: status.largestObject)),
                    from: .server,
                    on: .responder(.subscribe, answering: .requestUpdate)
                )
            )
            samples.append(
                MessageSample(
                    .requestError(
                        RequestError(
                            answers: .subscribe,
                            code: .redirect,
                            redirect: Redirect(
                                connectURI: "moqt://other.example",
                                namespace: self.track.namespace,
                                name: [1]
                            )
                        )
                    ),
                    from: .server,
                    on: .responder(.subscribe, answering: .subscribe)
                )
            )
        }
        samples.append(MessageSample(.requestOk(status), from: .server, on: places.answer(to: .trackStatus)))
        return samples
    }
}
