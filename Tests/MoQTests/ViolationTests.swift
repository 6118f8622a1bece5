// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("What a peer must not do", .timeLimit(.minutes(2)))
struct ViolationTests {
    static let roles: [Role] = [.client, .server]

    /// Lets the peer misbehave in an established session, and expects the code of the close on both sides.
    private func expectClose(
        _ code: SessionErrorCode,
        _ profile: DraftProfile,
        peer role: Role,
        configuration: MoQSessionConfiguration = MoQSessionConfiguration(),
        sourceLocation: SourceLocation = #_sourceLocation,
        _ body: (RawHarness) throws -> Void
    ) throws {
        let harness = try RawHarness.established(profile, peer: role, configuration: configuration)
        // A second session on the same loop must not notice.
        let bystander = Harness.established(Variant(profile: profile, subscriber: .client))
        try body(harness)
        harness.run()
        bystander.run()
        #expect(harness.handler.closures.map(\.code) == [code], sourceLocation: sourceLocation)
        #expect(harness.handler.closures.map(\.origin) == [.local], sourceLocation: sourceLocation)
        #expect(harness.handler.closures.first?.reason.isEmpty == false, sourceLocation: sourceLocation)
        #expect(harness.peer.closeCode == code, sourceLocation: sourceLocation)
        #expect(bystander.client.isOpen && bystander.server.isOpen, sourceLocation: sourceLocation)
        #expect(harness.session.counters.liveRequests == 0, sourceLocation: sourceLocation)
        #expect(harness.session.counters.liveStreamsIn == 0, sourceLocation: sourceLocation)
    }

    @Test("Garbage on the control stream", arguments: DraftProfile.all, roles)
    func garbageOnControl(profile: DraftProfile, role: Role) throws {
        try self.expectClose(.protocolViolation, profile, peer: role) {
            try $0.peer.sendControl(raw: [0x3F, 0x00, 0x00, 0xFF, 0xFF])
        }
    }

    @Test("A message shorter than its length", arguments: DraftProfile.all, roles)
    func badLength(profile: DraftProfile, role: Role) throws {
        try self.expectClose(.protocolViolation, profile, peer: role) {
            var bytes = try $0.peer.bytes(.goaway($0.peer.goaway))
            bytes[2] += 1
            try $0.peer.sendControl(raw: bytes + [0])
        }
    }

    @Test("A second SETUP", arguments: DraftProfile.all, roles)
    func secondSetup(profile: DraftProfile, role: Role) throws {
        try self.expectClose(.protocolViolation, profile, peer: role) {
            try $0.peer.sendControl(.setup(Setup(options: $0.peer.ownSetup)))
        }
    }

    @Test(
        "A bidirectional stream that begins with neither SETUP nor a request",
        arguments: [DraftProfile.draft16, .draft14]
    )
    func noSetup(profile: DraftProfile) throws {
        let harness = RawHarness(profile, peer: .client)
        harness.session.start()
        harness.peer.listen()
        let stream = try harness.peer.transport.openBidirectionalStream(priority: .control)
        try stream.send.write(Bytes(try harness.peer.bytes(.goaway(Goaway()))))
        harness.run()
        #expect(harness.handler.closures.map(\.code) == [.protocolViolation])
    }

    @Test("The end of a control stream", arguments: Variant.all, [true, false])
    func controlEnds(peer: Variant, byReset: Bool) throws {
        try self.expectClose(.protocolViolation, peer.profile, peer: peer.subscriber) {
            if byReset {
                $0.peer.control?.reset(code: 0)
            } else {
                try $0.peer.control?.finish()
            }
        }
    }

    @Test("STOP_SENDING on a control stream", arguments: DraftProfile.all, roles)
    func controlStopped(profile: DraftProfile, role: Role) throws {
        try self.expectClose(.protocolViolation, profile, peer: role) {
            try #require($0.peer.controlInput).stopSending(code: 0)
        }
    }

    @Test("A second control stream")
    func secondControlStream() throws {
        try self.expectClose(.protocolViolation, .draft18, peer: .client) {
            try $0.peer.send(uni: try $0.peer.bytes(.setup(Setup())))
        }
    }

    @Test("An unknown type of unidirectional stream", arguments: DraftProfile.all, roles)
    func unknownStreamType(profile: DraftProfile, role: Role) throws {
        try self.expectClose(.protocolViolation, profile, peer: role) {
            try $0.peer.send(uni: [0x3E])
        }
    }

    @Test("A subgroup stream with an invalid subgroup id mode", arguments: DraftProfile.all, roles)
    func badSubgroupMode(profile: DraftProfile, role: Role) throws {
        try self.expectClose(.protocolViolation, profile, peer: role) {
            try $0.peer.send(uni: [0x16, 0, 0, 0])
        }
    }

    @Test("A bidirectional stream that begins with no request", arguments: DraftProfile.all, roles)
    func badRequestStream(profile: DraftProfile, role: Role) throws {
        try self.expectClose(.protocolViolation, profile, peer: role) {
            let stream = try $0.peer.transport.openBidirectionalStream(priority: .request)
            try stream.send.write(Bytes(try $0.peer.bytes(.goaway($0.peer.goaway))))
        }
    }

    @Test("An invalid datagram", arguments: Variant.all, [[0x7F, 0x01, 0x02], [0x22, 0, 0, 0, 0, 0]] as [[UInt8]])
    func badDatagram(peer: Variant, bytes: [UInt8]) throws {
        try self.expectClose(.protocolViolation, peer.profile, peer: peer.subscriber) {
            try $0.peer.transport.sendDatagram(Bytes(bytes))
        }
    }

    @Test("A request id of the wrong parity, and one used twice", arguments: DraftProfile.all, roles)
    func requestIDs(profile: DraftProfile, role: Role) throws {
        try self.expectClose(.invalidRequestID, profile, peer: role) {
            let wrong = RequestID($0.peerID().rawValue ^ 1)
            try $0.peer.request(.publishNamespace(PublishNamespace(requestID: wrong, namespace: NamespaceTests.space)))
        }
        try self.expectClose(.invalidRequestID, profile, peer: role) {
            for _ in 0..<2 {
                let message = PublishNamespace(requestID: $0.peerID(), namespace: NamespaceTests.space)
                try $0.peer.request(.publishNamespace(message))
                $0.run()
            }
        }
    }

    @Test("A request id beyond the limit", arguments: [DraftProfile.draft16, .draft14], roles)
    func tooManyRequests(profile: DraftProfile, role: Role) throws {
        try self.expectClose(.tooManyRequests, profile, peer: role) {
            let message = PublishNamespace(requestID: $0.peerID(1_024), namespace: NamespaceTests.space)
            try $0.peer.request(.publishNamespace(message))
        }
    }

    @Test("MAX_REQUEST_ID that does not rise", arguments: [DraftProfile.draft16, .draft14], roles)
    func maxRequestID(profile: DraftProfile, role: Role) throws {
        try self.expectClose(.protocolViolation, profile, peer: role) {
            try $0.peer.sendControl(.maxRequestID(MaxRequestID(maximum: RequestID(1_000))))
        }
    }

    @Test(
        "Request ids may skip: a request with a stream of its own can be overtaken",
        arguments: [DraftProfile.draft18, .draft16],
        roles
    )
    func skippedIDs(profile: DraftProfile, role: Role) throws {
        let harness = try RawHarness.established(profile, peer: role)
        for index in [UInt64(2), 0, 1] {
            let message = PublishNamespace(
                requestID: harness.peerID(index),
                namespace: TrackNamespace(path: "n/\(index)")
            )
            try harness.peer.request(.publishNamespace(message))
        }
        harness.run()
        #expect(harness.handler.announcements.count == 3)
        #expect(harness.session.isOpen)
    }

    @Test("Answers to nothing", arguments: roles)
    func strayAnswer(role: Role) throws {
        try self.expectClose(.protocolViolation, .draft16, peer: role) {
            let message = RequestOk(requestID: RequestID($0.peer.role == .client ? 1 : 0))
            try $0.peer.sendControl(.requestOk(message))
        }
        try self.expectClose(.protocolViolation, .draft16, peer: role) {
            try $0.peer.sendControl(
                .publishDone(PublishDone(requestID: RequestID(4), status: .trackEnded, streamCount: 0))
            )
        }
        try self.expectClose(.protocolViolation, .draft16, peer: role) {
            let message = RequestUpdate(requestID: $0.peerID(), existingRequestID: RequestID(40))
            try $0.peer.sendControl(.requestUpdate(message))
        }
    }

    @Test("A second GOAWAY, and one with a URI from a client", arguments: DraftProfile.all)
    func goaway(profile: DraftProfile) throws {
        try self.expectClose(.protocolViolation, profile, peer: .server) {
            for _ in 0..<2 {
                try $0.peer.sendControl(.goaway($0.peer.goaway))
            }
        }
        try self.expectClose(.protocolViolation, profile, peer: .client) {
            let rest: [UInt8] = profile == .draft18 ? [0, 1] : []
            try $0.peer.sendControl(raw: [0x10, 0, UInt8(2 + rest.count), 1, 0x78] + rest)
        }
    }

    @Test("GOAWAY with a URI from a client, on the stream of a request")
    func goawayOnRequest() throws {
        try self.expectClose(.protocolViolation, .draft18, peer: .client) {
            let message = PublishNamespace(requestID: $0.peerID(), namespace: NamespaceTests.space)
            let stream = try #require(try $0.peer.request(.publishNamespace(message)))
            try stream.send.write([0x10, 0, 3, 1, 0x78, 0])
        }
    }

    @Test("GOAWAY with a request id of the wrong parity")
    func goawayParity() throws {
        try self.expectClose(.invalidRequestID, .draft18, peer: .server) {
            try $0.peer.sendControl(raw: [0x10, 0, 3, 0, 0, 1])
        }
    }

    @Test("Tokens that refer to a cache that does not exist", arguments: DraftProfile.all, roles)
    func tokens(profile: DraftProfile, role: Role) throws {
        try self.expectClose(.authTokenCacheOverflow, profile, peer: role) {
            let token = AuthorizationToken.register(alias: 1, type: 0, value: [1])
            let message = PublishNamespace(requestID: $0.peerID(), namespace: NamespaceTests.space, tokens: [token])
            try $0.peer.request(.publishNamespace(message))
        }
        try self.expectClose(.unknownAuthTokenAlias, profile, peer: role) {
            let message = Subscribe(requestID: $0.peerID(), track: Harness.track, tokens: [.useAlias(3)])
            try $0.peer.request(.subscribe(message))
        }
    }

    @Test("Tokens that do not fit into the cache, and aliases that are in use", arguments: DraftProfile.all, roles)
    func tokenCache(profile: DraftProfile, role: Role) throws {
        var configuration = MoQSessionConfiguration()
        configuration.setup.maxAuthTokenCacheSize = 40
        let first = AuthorizationToken.register(alias: 7, type: 0, value: [1, 2, 3])
        let offences: [(SessionErrorCode, AuthorizationToken)] = [
            (.duplicateAuthTokenAlias, .register(alias: 7, type: 0, value: [4])),
            (.duplicateAuthTokenAlias, first),
            (.authTokenCacheOverflow, .register(alias: 8, type: 0, value: [1, 2, 3, 4, 5, 6])),
            (.unknownAuthTokenAlias, .useAlias(8)),
            (.unknownAuthTokenAlias, .delete(alias: 8)),
        ]
        for (code, token) in offences {
            try self.expectClose(code, profile, peer: role, configuration: configuration) {
                for (index, token) in [first, token].enumerated() {
                    let message = PublishNamespace(
                        requestID: $0.peerID(UInt64(index)),
                        namespace: TrackNamespace(path: "space/\(index)"),
                        tokens: [token]
                    )
                    try $0.peer.request(.publishNamespace(message))
                    $0.run()
                    if index == 0 {
                        #expect($0.session.isOpen && $0.session.counters.liveTokens == 1)
                    }
                }
            }
        }
    }

    @Test("A FIN in the middle of an object, and of a header", arguments: DraftProfile.all, roles)
    func cutShort(profile: DraftProfile, role: Role) throws {
        try self.expectClose(.protocolViolation, profile, peer: role) {
            try self.accept($0, alias: 5)
            let bytes = try $0.peer.subgroup(SubgroupHeader(trackAlias: TrackAlias(5), groupID: 0), [(0, pattern(10))])
            try $0.peer.send(uni: Array(bytes.dropLast()), finish: true)
        }
        try self.expectClose(.protocolViolation, profile, peer: role) {
            try $0.peer.send(uni: [0x10], finish: true)
        }
    }

    /// Has the peer offer the track under this alias, and the session accept it.
    private func accept(
        _ harness: RawHarness,
        alias: UInt64,
        track: FullTrackName = Harness.track,
        index: UInt64 = 0,
        consumer: CollectingConsumer = CollectingConsumer()
    ) throws {
        harness.handler.onPublish = { $0.accept(consumer: consumer) }
        let message = Publish(requestID: harness.peerID(index), track: track, trackAlias: TrackAlias(alias))
        try harness.peer.request(.publish(message))
        harness.run()
    }

    @Test("A reset behind the last byte of a stream takes nothing back", arguments: DraftProfile.all, roles)
    func resetBehind(profile: DraftProfile, role: Role) throws {
        let harness = try RawHarness.established(profile, peer: role)
        let consumer = CollectingConsumer()
        try self.accept(harness, alias: 5, consumer: consumer)
        let header = SubgroupHeader(trackAlias: TrackAlias(5), groupID: 0)
        let stream = try harness.peer.send(uni: try harness.peer.subgroup(header, [(0, pattern(10)), (1, [1])]))
        harness.run()
        stream.reset(code: StreamResetCode.deliveryTimeout.wireValue(in: profile))
        harness.run()
        #expect(consumer.contents.map(\.payload) == [pattern(10), [1]])
        #expect(consumer.subgroups.map(\.ends) == [[.reset(.deliveryTimeout)]])
        #expect(harness.session.isOpen)
        #expect(harness.session.counters.liveStreamsIn == 0)
    }

    @Test("More streams than PUBLISH_DONE counts are stopped", arguments: DraftProfile.all, roles)
    func tooManyStreams(profile: DraftProfile, role: Role) throws {
        let harness = try RawHarness.established(profile, peer: role)
        let consumer = CollectingConsumer()
        harness.handler.onPublish = { $0.accept(consumer: consumer) }
        let message = Publish(requestID: harness.peerID(), track: Harness.track, trackAlias: TrackAlias(5))
        let request = try harness.peer.request(.publish(message))
        harness.run()
        let done = PublishDone(requestID: harness.peerID(), status: .trackEnded, streamCount: 1)
        let bytes = Bytes(try harness.peer.bytes(.publishDone(done)))
        try (request?.send ?? harness.peer.control)?.write(bytes)
        for group in UInt64(0)..<3 {
            let header = SubgroupHeader(trackAlias: TrackAlias(5), groupID: group)
            try harness.peer.send(uni: try harness.peer.subgroup(header, [(0, [1])]), finish: group == 0)
            harness.run()
        }
        #expect(consumer.ends == [TrackEnd(status: .trackEnded, streamCount: 1)])
        #expect(consumer.contents.count == 1)
        #expect(harness.session.isOpen)
        #expect(harness.session.counters.streamsStopped == 2)
        #expect(harness.session.counters.liveStreamsIn == 0)
    }

    @Test(
        "Of two offers with one alias the second ends the session, and who accepted it is told",
        arguments: DraftProfile.all
    )
    func duplicateAliasOfOffers(profile: DraftProfile) throws {
        let harness = try RawHarness.established(profile, peer: .client)
        var offers: [IncomingPublish] = []
        harness.handler.onPublish = { offers.append($0) }
        for (index, name) in ["one", "other"].enumerated() {
            let track = FullTrackName(namespace: TrackNamespace(path: "live"), name: name)
            let id = harness.peerID(UInt64(index))
            try harness.peer.request(.publish(Publish(requestID: id, track: track, trackAlias: TrackAlias(5))))
        }
        harness.run()
        let consumers = offers.map { offer in
            let consumer = CollectingConsumer()
            offer.accept(consumer: consumer)
            return consumer
        }
        harness.run()
        #expect(harness.session.closure?.code == .duplicateTrackAlias)
        #expect(consumers.map { $0.ends.map(\.cause) } == [[.sessionClosed], [.sessionClosed]])
    }

    @Test("Two tracks with one alias", arguments: DraftProfile.all, roles)
    func duplicateAlias(profile: DraftProfile, role: Role) throws {
        try self.expectClose(.duplicateTrackAlias, profile, peer: role) {
            try self.accept($0, alias: 5)
            let other = FullTrackName(namespace: NamespaceTests.space, name: "other")
            try self.accept($0, alias: 5, track: other, index: 1)
        }
    }

    @Test(
        "Every request that the handler does not implement is answered NOT_SUPPORTED",
        arguments: DraftProfile.all,
        roles
    )
    func notSupported(profile: DraftProfile, role: Role) throws {
        let harness = try RawHarness.established(profile, peer: role, handler: BareHandler())
        let target = FetchTarget.standalone(
            track: Harness.track,
            start: Location(group: 0, object: 0),
            end: .group(1)
        )
        try harness.peer.request(.fetch(Fetch(requestID: harness.peerID(0), target: target)))
        try harness.peer.request(.trackStatus(TrackStatus(requestID: harness.peerID(1), track: Harness.track)))
        let count = 2
        harness.run()
        let codes = harness.peer.messages.compactMap { message in
            if case .requestError(let error) = message { error.code } else { nil }
        }
        #expect(codes == Array(repeating: .notSupported, count: count))
        #expect(harness.session.counters.requestsNotSupported == UInt64(count))
        #expect(harness.session.isOpen)
        #expect(harness.session.counters.liveRequests == 0)
    }

    @Test("Padding is read and ignored", arguments: roles)
    func padding(role: Role) throws {
        let harness = try RawHarness.established(.draft18, peer: role)
        // 0x132B3E28 and 0x132B3E29 take five bytes.
        let padding: [UInt8] = [0xF0, 0x13, 0x2B, 0x3E]
        try harness.peer.send(uni: padding + [0x28] + Array(repeating: 0, count: 5_000), finish: true)
        try harness.peer.transport.sendDatagram(Bytes(padding + [0x29, 0, 0, 0]))
        harness.run()
        #expect(harness.session.isOpen)
        #expect(harness.session.counters.liveStreamsIn == 0)
    }

    @Test("Objects that come before the answer wait for it", arguments: Variant.all, [true, false])
    func early(peer: Variant, finished: Bool) throws {
        let harness = try RawHarness.established(peer.profile, peer: peer.subscriber)
        let header = SubgroupHeader(trackAlias: TrackAlias(5), groupID: 2, subgroupID: .firstObject)
        let bytes = try harness.peer.subgroup(header, [(3, pattern(2_000)), (7, [1])])
        let stream = try harness.peer.send(uni: bytes, finish: finished)
        try harness.peer.transport.sendDatagram([0x04, 5, 0, 128, 1])
        harness.run()
        #expect(harness.session.counters.liveHeldStreams == 1)
        #expect(harness.session.counters.datagramsUnknownTrack == 1)
        let consumer = CollectingConsumer()
        try self.accept(harness, alias: 5, consumer: consumer)
        if !finished {
            try stream.finish()
            harness.run()
        }
        #expect(
            consumer.contents == [
                Content(group: 2, id: 3, payload: pattern(2_000)), Content(group: 2, id: 7, payload: [1]),
            ]
        )
        #expect(consumer.subgroups.map(\.description.subgroup) == [3])
        #expect(consumer.subgroups.map(\.ends) == [[.finished]])
        #expect(harness.session.counters.liveStreamsIn == 0)
    }

    @Test("Streams that nobody claims are stopped: in time, and beyond a number", arguments: DraftProfile.all, roles)
    func unclaimed(profile: DraftProfile, role: Role) throws {
        var configuration = MoQSessionConfiguration()
        configuration.maxHeldStreams = 3
        let harness = try RawHarness.established(profile, peer: role, configuration: configuration)
        for group in UInt64(0)..<5 {
            let header = SubgroupHeader(trackAlias: TrackAlias(5), groupID: group)
            try harness.peer.send(uni: try harness.peer.subgroup(header, [(0, [1])]))
        }
        harness.run()
        #expect(harness.session.counters.liveHeldStreams == 3)
        #expect(harness.session.counters.streamsStopped == 2)
        harness.run(.seconds(6))
        #expect(harness.session.counters.liveStreamsIn == 0)
        #expect(harness.session.counters.streamsStopped == 5)
        #expect(harness.session.isOpen)
    }

    @Test("Late streams of a cancelled subscription are stopped at once", arguments: DraftProfile.all, roles)
    func late(profile: DraftProfile, role: Role) throws {
        let harness = try RawHarness.established(profile, peer: role)
        let subscription = Box<Subscription>()
        harness.handler.onPublish = { subscription.value = $0.accept(consumer: CollectingConsumer()) }
        let message = Publish(requestID: harness.peerID(), track: Harness.track, trackAlias: TrackAlias(5))
        try harness.peer.request(.publish(message))
        harness.run()
        subscription.value?.cancel()
        let header = SubgroupHeader(trackAlias: TrackAlias(5), groupID: 0)
        try harness.peer.send(uni: try harness.peer.subgroup(header, [(0, [1])]))
        harness.run()
        #expect(harness.session.counters.streamsStopped == 1)
        #expect(harness.session.counters.liveHeldStreams == 0)
    }

    @Test("An alias that comes back is waited for while an answer is due", arguments: DraftProfile.all, roles)
    func aliasComesBack(profile: DraftProfile, role: Role) throws {
        let harness = try RawHarness.established(profile, peer: role)
        let first = Box<Subscription>()
        harness.handler.onPublish = { first.value = $0.accept(consumer: CollectingConsumer()) }
        let message = Publish(requestID: harness.peerID(), track: Harness.track, trackAlias: TrackAlias(5))
        try harness.peer.request(.publish(message))
        harness.run()
        first.value?.cancel()
        harness.run()
        let consumer = CollectingConsumer()
        let second = harness.session.subscribe(SubscribeRequest(track: Harness.track), consumer: consumer) {
            consumer.responses.append($0)
        }
        harness.run()
        let header = SubgroupHeader(trackAlias: TrackAlias(5), groupID: 3)
        try harness.peer.send(uni: try harness.peer.subgroup(header, [(0, [1])]), finish: true)
        harness.run()
        #expect(harness.session.counters.liveHeldStreams == 1)
        try self.answer(second, alias: 5, harness)
        #expect(consumer.responses.count == 1)
        #expect(consumer.contents == [Content(group: 3, id: 0, payload: [1])])
    }

    @Test("Datagrams that overtake the answer wait for it, up to a number", arguments: DraftProfile.all, roles)
    func earlyDatagrams(profile: DraftProfile, role: Role) throws {
        let harness = try RawHarness.established(profile, peer: role)
        let consumer = CollectingConsumer()
        let subscription = harness.session.subscribe(SubscribeRequest(track: Harness.track), consumer: consumer) {
            consumer.responses.append($0)
        }
        harness.run()
        for index in 0..<518 {
            // Of every seven one belongs to another track.
            let alias: UInt8 = index % 7 == 0 ? 6 : 5
            try harness.peer.transport.sendDatagram([0x00, alias, UInt8(index / 64), UInt8(index % 64), 128, 1])
            harness.run(.milliseconds(1))
        }
        harness.run()
        #expect(harness.session.counters.datagramsUnknownTrack == 6, "beyond the number")
        try self.answer(subscription, alias: 5, harness)
        let expected = (0..<512).filter { $0 % 7 != 0 }
        #expect(consumer.datagrams.map(\.header.groupID) == expected.map { UInt64($0 / 64) })
        #expect(consumer.datagrams.map(\.header.objectID) == expected.map { UInt64($0 % 64) })
        #expect(harness.session.counters.datagramsUnknownTrack == 80, "those of the other track are given up")
        #expect(harness.session.counters.objectsReceived == UInt64(expected.count))
        // Nothing is held without a SUBSCRIBE that waits.
        try harness.peer.transport.sendDatagram([0x00, 6, 0, 1, 128, 1])
        harness.run()
        #expect(harness.session.counters.datagramsUnknownTrack == 81)
    }

    @Test(
        "The alias in an answer that comes after the cancellation is not waited for",
        arguments: [DraftProfile.draft16, .draft14],
        roles
    )
    func lateAnswer(profile: DraftProfile, role: Role) throws {
        let harness = try RawHarness.established(profile, peer: role)
        let subscription = harness.session.subscribe(
            SubscribeRequest(track: Harness.track),
            consumer: CollectingConsumer()
        ) { _ in }
        harness.run()
        subscription.cancel()
        try self.answer(subscription, alias: 7, harness)
        let header = SubgroupHeader(trackAlias: TrackAlias(7), groupID: 0)
        try harness.peer.send(uni: try harness.peer.subgroup(header, [(0, [1])]))
        harness.run()
        #expect(harness.session.isOpen)
        #expect(harness.session.counters.streamsStopped == 1)
        #expect(harness.session.counters.liveHeldStreams == 0)
    }

    /// Lets the peer accept a SUBSCRIBE.
    private func answer(_ subscription: Subscription, alias: UInt64, _ harness: RawHarness) throws {
        let id = try #require(subscription.requestID)
        let ok = MoQMessage.subscribeOk(SubscribeOk(requestID: id, trackAlias: TrackAlias(alias)))
        if harness.profile.controlShape == .pairWithRequestStreams {
            try #require(harness.peer.requests.last).send.write(Bytes(try harness.peer.bytes(ok)))
        } else {
            try harness.peer.sendControl(ok)
        }
        harness.run()
    }

    @Test(
        "PUBLISH_DONE that overtakes its streams waits for them, but not for ever",
        arguments: DraftProfile.all,
        roles
    )
    func streamCount(profile: DraftProfile, role: Role) throws {
        for count in [UInt64(2), 3] {
            let harness = try RawHarness.established(profile, peer: role)
            let consumer = CollectingConsumer()
            harness.handler.onPublish = { $0.accept(consumer: consumer) }
            let message = Publish(requestID: harness.peerID(), track: Harness.track, trackAlias: TrackAlias(5))
            let stream = try harness.peer.request(.publish(message))
            harness.run()
            let done = PublishDone(requestID: harness.peerID(), status: .trackEnded, streamCount: count)
            let bytes = Bytes(try harness.peer.bytes(.publishDone(done)))
            if let stream {
                try stream.send.write(bytes)
                try stream.send.finish()
            } else {
                try harness.peer.control?.write(bytes)
            }
            harness.run()
            #expect(consumer.ends.isEmpty)
            for group in UInt64(0)..<2 {
                let header = SubgroupHeader(trackAlias: TrackAlias(5), groupID: group)
                try harness.peer.send(uni: try harness.peer.subgroup(header, [(0, [1])]), finish: true)
            }
            harness.run()
            #expect(consumer.ends.count == (count == 2 ? 1 : 0))
            // What came starts the wait for the missing stream anew, once.
            harness.run(.seconds(11))
            #expect(consumer.ends == [TrackEnd(status: .trackEnded, streamCount: count)])
            #expect(consumer.contents.count == 2)
            #expect(harness.session.counters.liveSubscriptions == 0)
        }
    }

    @Test("Datagrams that PUBLISH_DONE overtook arrive all the same", arguments: DraftProfile.all, roles)
    func lateDatagrams(profile: DraftProfile, role: Role) throws {
        let harness = try RawHarness.established(profile, peer: role)
        let consumer = CollectingConsumer()
        harness.handler.onPublish = { $0.accept(consumer: consumer) }
        let message = Publish(requestID: harness.peerID(), track: Harness.track, trackAlias: TrackAlias(5))
        let stream = try harness.peer.request(.publish(message))
        harness.run()
        try harness.peer.transport.sendDatagram([0x00, 5, 0, 0, 128, 1])
        harness.run()
        let done = PublishDone(requestID: harness.peerID(), status: .trackEnded, streamCount: 0)
        let bytes = Bytes(try harness.peer.bytes(.publishDone(done)))
        if let stream {
            try stream.send.write(bytes)
            try stream.send.finish()
        } else {
            try harness.peer.control?.write(bytes)
        }
        harness.run(.milliseconds(50))
        #expect(consumer.ends.isEmpty)
        try harness.peer.transport.sendDatagram([0x00, 5, 0, 1, 128, 2])
        harness.run(.milliseconds(200))
        #expect(consumer.datagrams.map(\.payload) == [[1], [2]])
        #expect(consumer.ends == [TrackEnd(status: .trackEnded, streamCount: 0)])
        #expect(harness.session.counters.liveSubscriptions == 0)
    }

    @Test(
        "A request that overtakes the setup waits for it",
        arguments: [DraftProfile.draft18, .draft16],
        [true, false]
    )
    func requestBeforeSetup(profile: DraftProfile, finished: Bool) throws {
        let harness = RawHarness(profile, peer: .client)
        harness.session.start()
        let request = SubscribeNamespace(requestID: RequestID(0), prefix: TrackNamespace(path: "live"))
        let stream = try #require(try harness.peer.request(.subscribeNamespace(request)))
        harness.run()
        #expect(harness.handler.feeds.isEmpty)
        #expect(harness.session.isOpen)
        if finished {
            try stream.send.finish()
            harness.run()
        }
        try harness.peer.setUp()
        harness.run()
        #expect(harness.session.state == .established)
        #expect(harness.handler.feeds.count == 1)
    }

    @Test("A FIN does not withdraw an announcement, a reset does", arguments: roles)
    func announcementStream(role: Role) throws {
        let harness = try RawHarness.established(.draft18, peer: role)
        var withdrawals = 0
        harness.handler.onAnnouncement = { request in
            request.onWithdrawn = { withdrawals += 1 }
            request.accept()
        }
        for (index, withdraws) in [false, true].enumerated() {
            let message = PublishNamespace(
                requestID: harness.peerID(UInt64(index)),
                namespace: TrackNamespace(path: "n/\(index)")
            )
            let stream = try #require(try harness.peer.request(.publishNamespace(message)))
            harness.run()
            if withdraws {
                stream.send.reset(code: 1)
            } else {
                try stream.send.finish()
            }
            harness.run()
            #expect(withdrawals == (withdraws ? 1 : 0))
        }
        #expect(harness.session.counters.liveRequests == 1)
    }

    @Test("NAMESPACE_DONE for what was not announced", arguments: [DraftProfile.draft18, .draft16])
    func namespaceDone(profile: DraftProfile) throws {
        try self.expectClose(.protocolViolation, profile, peer: .server) {
            $0.session.subscribeNamespace(TrackNamespace(path: "live"), events: { _ in }) { _ in }
            $0.run()
            let stream = try #require($0.peer.requests.first)
            let ok = RequestOk(requestID: RequestID(0), answers: .subscribeNamespace)
            let done = NamespaceDone(suffix: TrackNamespace(path: "x"))
            let bytes = try $0.peer.bytes(.requestOk(ok)) + $0.peer.bytes(.namespaceDone(done))
            try stream.send.write(Bytes(bytes))
        }
    }

    @Test("Messages cut at every byte arrive all the same", arguments: DraftProfile.all, roles)
    func cutMessages(profile: DraftProfile, role: Role) throws {
        let harness = try RawHarness.established(profile, peer: role)
        let message = PublishNamespace(requestID: harness.peerID(), namespace: NamespaceTests.space)
        let bytes = try harness.peer.bytes(.publishNamespace(message))
        let stream: SendStream
        if profile.controlShape == .pairWithRequestStreams {
            stream = try harness.peer.transport.openBidirectionalStream(priority: .request).send
        } else {
            stream = try #require(harness.peer.control)
        }
        for byte in bytes {
            try stream.write(Bytes([byte]))
            harness.run(.milliseconds(20))
        }
        #expect(harness.handler.announcements.map(\.namespace) == [NamespaceTests.space])
    }
}
