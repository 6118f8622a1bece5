// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("What a peer must not do", .timeLimit(.minutes(2)))
struct ViolationTests {
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

    @Test("Garbage on the control stream", arguments: DraftProfile.all, Role.both)
    func garbageOnControl(profile: DraftProfile, role: Role) throws {
        try self.expectClose(.protocolViolation, profile, peer: role) {
            try $0.peer.sendControl(raw: [0x3F, 0x00, 0x00, 0xFF, 0xFF])
        }
    }

    @Test("A message shorter than its length", arguments: DraftProfile.all, Role.both)
    func badLength(profile: DraftProfile, role: Role) throws {
        try self.expectClose(.protocolViolation, profile, peer: role) {
            var bytes = try $0.peer.bytes(.goaway($0.peer.goaway))
            bytes[2] += 1
            try $0.peer.sendControl(raw: bytes + [0])
        }
    }

    @Test("A second SETUP", arguments: DraftProfile.all, Role.both)
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

    @Test("STOP_SENDING on a control stream", arguments: DraftProfile.all, Role.both)
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

    @Test("An unknown type of unidirectional stream", arguments: DraftProfile.all, Role.both)
    func unknownStreamType(profile: DraftProfile, role: Role) throws {
        try self.expectClose(.protocolViolation, profile, peer: role) {
            try $0.peer.send(uni: [0x3E])
        }
    }

    @Test("A subgroup stream with an invalid subgroup id mode", arguments: DraftProfile.all, Role.both)
    func badSubgroupMode(profile: DraftProfile, role: Role) throws {
        try self.expectClose(.protocolViolation, profile, peer: role) {
            try $0.peer.send(uni: [0x16, 0, 0, 0])
        }
    }

    @Test("A bidirectional stream that begins with no request", arguments: DraftProfile.all, Role.both)
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

    @Test("A request id of the wrong parity, and one used twice", arguments: DraftProfile.all, Role.both)
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

    @Test("A request id beyond the limit", arguments: [DraftProfile.draft16, .draft14], Role.both)
    func tooManyRequests(profile: DraftProfile, role: Role) throws {
        try self.expectClose(.tooManyRequests, profile, peer: role) {
            let message = PublishNamespace(requestID: $0.peerID(1_024), namespace: NamespaceTests.space)
            try $0.peer.request(.publishNamespace(message))
        }
    }

    @Test("MAX_REQUEST_ID that does not rise", arguments: [DraftProfile.draft16, .draft14], Role.both)
    func maxRequestID(profile: DraftProfile, role: Role) throws {
        try self.expectClose(.protocolViolation, profile, peer: role) {
            try $0.peer.sendControl(.maxRequestID(MaxRequestID(maximum: RequestID(1_000))))
        }
    }

    @Test(
        "Request ids may skip: a request with a stream of its own can be overtaken",
        arguments: [DraftProfile.draft18, .draft16],
        Role.both
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

    @Test("Answers to nothing", arguments: Role.both)
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

    @Test("Tokens that refer to a cache that does not exist", arguments: DraftProfile.all, Role.both)
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

    @Test("Tokens that do not fit into the cache, and aliases that are in use", arguments: DraftProfile.all, Role.both)
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

    @Test("A FIN in the middle of an object, and of a header", arguments: DraftProfile.all, Role.both)
    func cutShort(profile: DraftProfile, role: Role) throws {
        try self.expectClose(.protocolViolation, profile, peer: role) {
            try $0.offer(alias: 5)
            let bytes = try $0.peer.subgroup(SubgroupHeader(trackAlias: TrackAlias(5), groupID: 0), [(0, pattern(10))])
            try $0.peer.send(uni: Array(bytes.dropLast()), finish: true)
        }
        try self.expectClose(.protocolViolation, profile, peer: role) {
            try $0.peer.send(uni: [0x10], finish: true)
        }
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

    @Test("Two tracks with one alias", arguments: DraftProfile.all, Role.both)
    func duplicateAlias(profile: DraftProfile, role: Role) throws {
        try self.expectClose(.duplicateTrackAlias, profile, peer: role) {
            try $0.offer(alias: 5)
            let other = FullTrackName(namespace: NamespaceTests.space, name: "other")
            try $0.offer(alias: 5, track: other, index: 1)
        }
    }

    @Test(
        "Every request that the handler does not implement is answered NOT_SUPPORTED",
        arguments: DraftProfile.all,
        Role.both
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
}
