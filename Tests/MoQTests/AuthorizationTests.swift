// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Authorization", .timeLimit(.minutes(2)))
struct AuthorizationTests {
    private static let good = AuthorizationCredential(value: [0])
    /// Credentials that are refused, with the code of a request and of a session.
    private static let bad: [(AuthorizationCredential, RequestErrorCode, SessionErrorCode)] = [
        (AuthorizationCredential(value: [1]), .unauthorized, .unauthorized),
        (AuthorizationCredential(value: [2]), .malformedAuthToken, .malformedAuthToken),
        (AuthorizationCredential(value: [3]), .expiredAuthToken, .expiredAuthToken),
    ]

    /// Writes down what was asked.
    private final class Requests: Sendable {
        private let state = Locked<[AuthorizationRequest]>([])

        var all: [AuthorizationRequest] {
            get { self.state.withLock { $0 } }
            set { self.state.withLock { $0 = newValue } }
        }

        func append(_ request: AuthorizationRequest) {
            self.state.withLock { $0.append(request) }
        }
    }

    /// Decides by the value of the last credential; without one it allows everything.
    private static func configuration(_ requests: Requests = Requests()) -> MoQSessionConfiguration {
        var configuration = MoQSessionConfiguration()
        configuration.setup.maxAuthTokenCacheSize = 100
        configuration.authorizer = { request in
            requests.append(request)
            switch request.credentials.last?.value {
            case [1]: return .unauthorized(reason: "no")
            case [2]: return .malformedToken(reason: "what")
            case [3]: return .expiredToken(reason: "late")
            default: return .allowed
            }
        }
        return configuration
    }

    /// One request of each kind that the draft has.
    private static func requests(_ harness: RawHarness, _ tokens: [AuthorizationToken]) -> [MoQMessage] {
        let (track, space) = (Harness.track, NamespaceTests.space)
        let range = FetchTarget.standalone(track: track, start: Location(group: 0, object: 0), end: .group(3))
        let id = harness.peerID()
        let interest: SubscribeNamespace.Interest = harness.profile.hasSubscribeTracks ? .namespaces : .both
        var messages: [MoQMessage] = [
            .subscribe(Subscribe(requestID: id, track: track, tokens: tokens)),
            .publish(Publish(requestID: id, track: track, trackAlias: TrackAlias(1), tokens: tokens)),
            .fetch(Fetch(requestID: id, target: range, groupOrder: .ascending, tokens: tokens)),
            .trackStatus(TrackStatus(requestID: id, track: track, tokens: tokens)),
            .publishNamespace(PublishNamespace(requestID: id, namespace: space, tokens: tokens)),
            .subscribeNamespace(SubscribeNamespace(requestID: id, prefix: space, interest: interest, tokens: tokens)),
        ]
        if harness.profile.hasSubscribeTracks {
            messages.append(.subscribeTracks(SubscribeTracks(requestID: id, prefix: space, tokens: tokens)))
        }
        return messages
    }

    private static func heard(_ handler: RecordingHandler) -> Int {
        handler.subscribes.count + handler.publishes.count + handler.fetches.count + handler.statuses.count
            + handler.announcements.count + handler.feeds.count
    }

    @Test(
        "A token that does not permit the request, is malformed or has expired",
        arguments: DraftProfile.all,
        Role.both
    )
    func refused(profile: DraftProfile, role: Role) throws {
        for (credential, code, _) in Self.bad {
            let count = Self.requests(RawHarness(profile, peer: role), []).count
            for index in 0..<count {
                let harness = try RawHarness.established(profile, peer: role, configuration: Self.configuration())
                let message = Self.requests(harness, [AuthorizationToken(credential)])[index]
                let kind = try #require(message.requestKind)
                try harness.peer.request(message)
                harness.run()
                guard case .requestError(let error)? = harness.peer.messages.last else {
                    Issue.record("\(kind): \(String(describing: harness.peer.messages.last))")
                    continue
                }
                // Draft 14 has no codes about tokens for PUBLISH.
                let hasCode = profile.messageForm != .fields || kind != .publish
                #expect(error.code == (hasCode ? code : .unauthorized), "\(kind)")
                #expect(harness.session.isOpen)
                #expect(Self.heard(harness.handler) == 0)
                #expect(harness.session.counters.liveRequests == 0)
                #expect(harness.session.counters.requestsUnauthorized == 1)
            }
        }
    }

    @Test("What is allowed comes with its tokens, aliases resolved", arguments: DraftProfile.all, Role.both)
    func allowed(profile: DraftProfile, role: Role) throws {
        let seen = Requests()
        let count = Self.requests(RawHarness(profile, peer: role), []).count
        for index in 0..<count {
            let harness = RawHarness(profile, peer: role, configuration: Self.configuration(seen))
            harness.session.start()
            let session = AuthorizationCredential(type: 7, value: [9])
            try harness.peer.setUp(
                SetupOptions(tokens: [
                    .register(alias: 1, type: 0, value: Self.good.value), AuthorizationToken(session),
                ])
            )
            harness.run()
            #expect(harness.session.counters.liveTokens == 1)
            let message = Self.requests(harness, [.useAlias(1)])[index]
            try harness.peer.request(message)
            harness.run()
            #expect(Self.heard(harness.handler) == 1)
            let request = try #require(seen.all.last)
            #expect(message.requestKind.map { .request($0) } == request.operation)
            #expect(request.credentials == [Self.good])
            #expect(request.sessionCredentials == [Self.good, session])
            let isAboutTrack = index < 4
            #expect(request.track == (isAboutTrack ? Harness.track : nil))
            #expect(request.namespace == (isAboutTrack ? Harness.track.namespace : NamespaceTests.space))
            if let subscribe = harness.handler.subscribes.last {
                #expect(subscribe.request.tokens == [AuthorizationToken(Self.good)])
            }
        }
        #expect(seen.all.filter { $0.operation == .session }.count == count)
    }

    @Test("A peer that may have no session is closed with the code", arguments: DraftProfile.all, Role.both)
    func session(profile: DraftProfile, role: Role) throws {
        for (credential, _, code) in Self.bad {
            let harness = RawHarness(profile, peer: role, configuration: Self.configuration())
            harness.session.start()
            try harness.peer.setUp(SetupOptions(tokens: [AuthorizationToken(credential)]))
            harness.run()
            #expect(harness.peer.closeCode == code)
            #expect(harness.handler.setups == 0)
            #expect(harness.handler.closures.map(\.code) == [code])
        }
    }

    @Test("A request that is refused registers its tokens all the same", arguments: DraftProfile.all, [true, false])
    func registersWhenRefused(profile: DraftProfile, isLeaving: Bool) throws {
        let seen = Requests()
        let harness = try RawHarness.established(profile, peer: .client, configuration: Self.configuration(seen))
        if isLeaving {
            harness.session.sendGoaway()
        }
        let tokens: [AuthorizationToken] = [.register(alias: 1, type: 0, value: [1])]
        try harness.peer.request(
            .publishNamespace(
                PublishNamespace(requestID: harness.peerID(), namespace: NamespaceTests.space, tokens: tokens)
            )
        )
        harness.run()
        #expect(harness.session.counters.liveTokens == 1)
        try harness.peer.request(
            .publishNamespace(
                PublishNamespace(requestID: harness.peerID(1), namespace: NamespaceTests.space, tokens: [.useAlias(1)])
            )
        )
        harness.run()
        #expect(harness.session.isOpen)
        #expect(harness.session.counters.requestsUnauthorized == (isLeaving ? 0 : 2))
        harness.session.close()
        harness.run()
        #expect(harness.session.counters.liveTokens == 0)
    }

    @Test("A token that is there twice makes a request malformed, where the draft says so", arguments: DraftProfile.all)
    func twice(profile: DraftProfile) throws {
        var configuration = MoQSessionConfiguration()
        configuration.setup.maxAuthTokenCacheSize = 100
        let harness = try RawHarness.established(profile, peer: .client, configuration: configuration)
        let tokens: [AuthorizationToken] = [.register(alias: 1, type: 0, value: [1]), .useValue(type: 0, value: [1])]
        try harness.peer.request(
            .publishNamespace(
                PublishNamespace(requestID: harness.peerID(), namespace: NamespaceTests.space, tokens: tokens)
            )
        )
        harness.run()
        guard profile.messageForm != .fields else {
            #expect(harness.handler.announcements.count == 1)
            return
        }
        guard case .requestError(let error)? = harness.peer.messages.last else {
            throw Missing(what: "a REQUEST_ERROR")
        }
        #expect(error.code == .malformedAuthToken)
        #expect(harness.handler.announcements.isEmpty)
    }

    // MARK: Updates

    /// Makes the request, lets it be accepted, and updates it with a token that is refused.
    private func update(
        _ message: MoQMessage,
        _ profile: DraftProfile,
        accept: (RawHarness) throws -> Void
    ) throws -> RawHarness {
        let seen = Requests()
        let harness = try RawHarness.established(profile, peer: .client, configuration: Self.configuration(seen))
        let stream = try harness.peer.request(message)
        harness.run()
        try accept(harness)
        harness.run()
        let update = MoQMessage.requestUpdate(
            RequestUpdate(
                requestID: harness.peerID(1),
                existingRequestID: profile.hasOwnStream(.subscribe) ? nil : harness.peerID(),
                parameters: profile.updatesAreAnswered
                    ? SubscriptionParameters() : .whole,
                tokens: [AuthorizationToken(Self.bad[0].0)]
            )
        )
        if let stream {
            try stream.send.write(Bytes(try harness.peer.bytes(update)))
        } else {
            try harness.peer.sendControl(update)
        }
        harness.run()
        #expect(harness.session.isOpen)
        #expect(seen.all.last?.operation == message.requestKind.map { .update($0) })
        #expect(harness.session.counters.requestsUnauthorized == 1)
        #expect(harness.session.counters.liveRequests == 0)
        return harness
    }

    private func updateErrors(_ harness: RawHarness) -> [RequestErrorCode] {
        harness.peer.messages.compactMap { message in
            guard case .requestError(let error) = message else { return nil }
            return error.code
        }
    }

    @Test("An update of a subscription with a token that is refused ends it", arguments: DraftProfile.all)
    func updateOfSubscription(profile: DraftProfile) throws {
        let message = MoQMessage.subscribe(
            Subscribe(requestID: RequestID(0), track: Harness.track)
        )
        let delegate = RecordingDelegate()
        let harness = try self.update(message, profile) {
            let publisher = try #require($0.handler.subscribes.last).accept()
            publisher.delegate = delegate
            publisher.send(group: 0, [[1]])
        }
        #expect(self.updateErrors(harness) == (profile.updatesAreAnswered ? [.unauthorized] : []))
        let statuses: [PublishDoneStatus] = harness.peer.messages.compactMap { message in
            guard case .publishDone(let done) = message else { return nil }
            return done.status
        }
        #expect(statuses == [profile.updatesAreAnswered ? .updateFailed : .unauthorized])
        #expect(delegate.ends == [.rangeEnded])
    }

    @Test(
        "An update of a fetch with a token that is refused resets its objects",
        arguments: [DraftProfile.draft18, .draft16]
    )
    func updateOfFetch(profile: DraftProfile) throws {
        let range = FetchTarget.standalone(track: Harness.track, start: Location(group: 0, object: 0), end: .group(3))
        let message = MoQMessage.fetch(Fetch(requestID: RequestID(0), target: range))
        let harness = try self.update(message, profile) {
            let publisher = try #require($0.handler.fetches.last).accept(largest: Location(group: 9, object: 0))
            publisher.beginObject(
                FetchObjectHeader(
                    location: Location(group: 0, object: 0),
                    subgroupID: 0,
                    publisherPriority: 1,
                    payloadLength: 9
                )
            )
        }
        #expect(self.updateErrors(harness) == [.unauthorized])
        #expect(harness.peer.resets == [StreamResetCode.cancelled.wireValue(in: profile)])
        #expect(harness.session.counters.liveFetchesServed == 0)
    }

    @Test(
        "An update of an announcement with a token that is refused ends it",
        arguments: [DraftProfile.draft18, .draft16],
        [true, false]
    )
    func updateOfAnnouncement(profile: DraftProfile, isAccepted: Bool) throws {
        let withdrawals = Box(0)
        let held = Box<IncomingPublishNamespace>()
        let message = MoQMessage.publishNamespace(
            PublishNamespace(requestID: RequestID(0), namespace: NamespaceTests.space)
        )
        let harness = try self.update(message, profile) {
            held.value = $0.handler.announcements.popLast()
            held.value?.onWithdrawn = { withdrawals.value = 1 }
            if isAccepted {
                held.value?.accept()
            }
        }
        #expect(self.updateErrors(harness) == [.unauthorized])
        #expect(withdrawals.value == 1)
    }

    @Test("An update of a namespace subscription with a token that is refused ends it")
    func updateOfFeed() throws {
        let cancellations = Box(0)
        let held = Box<IncomingSubscribeNamespace>()
        let message = MoQMessage.subscribeNamespace(
            SubscribeNamespace(requestID: RequestID(0), prefix: NamespaceTests.space, interest: .namespaces)
        )
        let harness = try self.update(message, .draft18) {
            held.value = $0.handler.feeds.popLast()
            held.value?.onCancelled = { cancellations.value = 1 }
            held.value?.accept()
        }
        #expect(self.updateErrors(harness) == [.unauthorized])
        #expect(cancellations.value == 1)
    }

    @Test("A joining fetch is judged with the track that it joins", arguments: Variant.all)
    func joiningFetch(variant: Variant) throws {
        let seen = Requests()
        let harness = Harness.established(variant, configuration: Self.configuration(seen))
        let (subscription, _) = try harness.subscribe(
            parameters: SubscriptionParameters(filter: .nextObject),
            largest: Location(group: 5, object: 3),
            consumer: CollectingConsumer()
        )
        let consumer = CollectingFetch()
        let parameters = FetchParameters(tokens: [AuthorizationToken(Self.bad[0].0)])
        subscription.fetch(from: .groupsBack(1), parameters: parameters, consumer: consumer) {
            consumer.responses.append($0)
        }
        harness.run()
        #expect(seen.all.last?.operation == .request(.fetch))
        #expect(seen.all.last?.track == Harness.track)
        #expect(consumer.responses.map { $0.failure?.requestError } == [.unauthorized])
        #expect(harness.publisherHandler.fetches.isEmpty)
    }

    // MARK: Our own tokens

    /// The tokens of the requests that arrived.
    private func sent(_ harness: RawHarness) -> [[AuthorizationToken]] {
        harness.peer.messages.compactMap { message in
            switch message {
            case .subscribe(let message): message.tokens
            case .publishNamespace(let message): message.tokens
            default: nil
            }
        }
    }

    @Test("A token is sent once, and its alias as soon as the peer is known to have it", arguments: DraftProfile.all)
    func sendsAlias(profile: DraftProfile) throws {
        var configuration = MoQSessionConfiguration()
        let value = AuthorizationToken.useValue(type: 4, value: [8, 8])
        configuration.requestTokens = [value]
        let harness = RawHarness(profile, peer: .server, configuration: configuration)
        harness.session.start()
        try harness.peer.setUp(SetupOptions(maxAuthTokenCacheSize: 50))
        harness.run()
        func announce(_ path: String) {
            harness.session.publishNamespace(TrackNamespace(path: path)) { _ in }
            harness.run()
        }
        announce("one")
        let register = AuthorizationToken.register(alias: 0, type: 4, value: [8, 8])
        #expect(self.sent(harness) == [[register]])
        announce("two")
        let isOrdered = !profile.hasOwnStream(.publishNamespace)
        #expect(self.sent(harness).last == [isOrdered ? .useAlias(0) : value])
        let first = try harness.peer.bytes(.requestOk(RequestOk(requestID: RequestID(0), answers: .publishNamespace)))
        if isOrdered {
            try harness.peer.sendControl(raw: first)
        } else {
            try #require(harness.peer.requests.first).send.write(Bytes(first))
        }
        harness.run()
        announce("three")
        #expect(self.sent(harness).last == [.useAlias(0)])
        let own = AuthorizationToken.useValue(type: 4, value: [9])
        harness.session.subscribe(
            SubscribeRequest(track: Harness.track, tokens: [own, value]),
            consumer: CollectingConsumer()
        ) { _ in }
        harness.run()
        #expect(self.sent(harness).last == [.register(alias: 1, type: 4, value: [9]), .useAlias(0)])
    }

    @Test("A peer without a cache gets every token by its value", arguments: Variant.all)
    func sendsValue(variant: Variant) throws {
        let seen = Requests()
        var receiving = Self.configuration(seen)
        receiving.setup.maxAuthTokenCacheSize = nil
        var sending = MoQSessionConfiguration()
        sending.requestTokens = [AuthorizationToken(Self.good)]
        let isClient = variant.subscriber == .client
        let harness = Harness(variant, client: isClient ? sending : receiving, server: isClient ? receiving : sending)
        harness.start()
        harness.run()
        for path in ["one", "two"] {
            harness.subscriber.publishNamespace(TrackNamespace(path: path)) { _ in }
        }
        harness.run()
        #expect(seen.all.map(\.credentials) == [[], [Self.good], [Self.good]])
        #expect(harness.client.isOpen && harness.server.isOpen)
    }

    @Test("Two sessions agree on what is in the cache, however many requests there are", arguments: Variant.all)
    func bothSides(variant: Variant) throws {
        let seen = Requests()
        var configuration = Self.configuration(seen)
        configuration.requestTokens = [AuthorizationToken(Self.good), .useValue(type: 5, value: [0, 0])]
        let harness = Harness.established(variant, configuration: configuration)
        seen.all = []
        for round in 0..<5 {
            for index in 0..<3 {
                harness.subscriber.publishNamespace(TrackNamespace(path: "space/\(round)/\(index)")) { _ in }
            }
            harness.run()
            harness.publisherHandler.announcements.forEach { $0.accept() }
            harness.run()
        }
        #expect(seen.all.count == 15)
        #expect(seen.all.allSatisfy { $0.credentials.map(\.value) == [[0], [0, 0]] })
        #expect(harness.publisher.counters.liveTokens == 2)
    }

    @Test("They agree, too, when more tokens are used than there is room for", arguments: Variant.all)
    func manyTokens(variant: Variant) throws {
        let seen = Requests()
        let harness = Harness.established(variant, configuration: Self.configuration(seen))
        seen.all = []
        var shown: [[UInt8]] = []
        for round in 0..<30 as Range<UInt8> {
            // Some come again soon, some late; their sizes differ.
            let tokens = [round % 3, 10 + round % 7, 20 + round].map { number -> AuthorizationToken in
                .useValue(type: 4, value: Array(repeating: 100 + number, count: Int(number % 9)) + [0])
            }
            for (index, token) in tokens.enumerated() {
                shown.append(token.credential?.value ?? [])
                harness.subscriber.publishNamespace(TrackNamespace(path: "space/\(round)/\(index)"), tokens: [token]) {
                    _ in
                }
            }
            if round % 2 == 0 {
                harness.run()
            }
            harness.publisherHandler.announcements.forEach { $0.accept() }
            harness.publisherHandler.announcements = []
        }
        harness.run()
        #expect(harness.client.isOpen && harness.server.isOpen)
        #expect(seen.all.map { $0.credentials.map(\.value) } == shown.map { [$0] })
        #expect((2...6).contains(harness.publisher.counters.liveTokens))
    }

    @Test("An update shows the tokens that it is given, by alias from the second time on", arguments: Variant.all)
    func updateShows(variant: Variant) throws {
        let seen = Requests()
        let harness = Harness.established(variant, configuration: Self.configuration(seen))
        let consumer = CollectingConsumer()
        let (subscription, publisher) = try harness.subscribe(consumer: consumer)
        seen.all = []
        var answers: [Bool] = []
        for priority in 1...3 as ClosedRange<UInt8> {
            subscription.update(priority: priority, tokens: [AuthorizationToken(Self.good)]) { result in
                answers.append(result.failure == nil)
            }
            harness.run()
        }
        #expect(publisher.subscriberPriority == 3)
        #expect(seen.all.map(\.operation) == Array(repeating: .update(.subscribe), count: 3))
        #expect(seen.all.map(\.credentials) == Array(repeating: [Self.good], count: 3))
        #expect(harness.publisher.counters.liveTokens == 1)
        var refusals: [RequestErrorCode?] = []
        subscription.update(priority: 4, tokens: [AuthorizationToken(Self.bad[0].0)]) { result in
            refusals.append(result.failure?.requestError)
        }
        harness.run()
        #expect(answers == [true, true, true])
        #expect(refusals == [variant.profile.updatesAreAnswered ? .unauthorized : nil])
        #expect(publisher.subscriberPriority == 3)
        #expect(consumer.ends.count == 1)
        harness.expectNothingLive()
    }

    @Test("A caller cannot refer to aliases, which are the session's own", arguments: DraftProfile.all)
    func noAliases(profile: DraftProfile) throws {
        let harness = Harness.established(Variant(profile: profile, subscriber: .client))
        let consumer = CollectingConsumer()
        harness.client.subscribe(SubscribeRequest(track: Harness.track, tokens: [.useAlias(0)]), consumer: consumer) {
            consumer.responses.append($0)
        }
        harness.run()
        #expect(consumer.responses.map { $0.failure?.code } == [.notExpressible])
        #expect(harness.client.isOpen)
    }
}
