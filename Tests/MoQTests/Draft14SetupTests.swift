// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Draft 14: versions, ids and answers", .timeLimit(.minutes(2)))
struct Draft14SetupTests {
    private static let version = DraftVersion.draft14.setupNumber

    @Test("The client offers its version, and the server selects it")
    func negotiation() throws {
        let server = try RawHarness.established(.draft14, peer: .server)
        guard case .setup(let offer) = server.peer.messages.first else {
            Issue.record("\(server.peer.messages)")
            return
        }
        #expect(offer.options.versions == [0xFF00_000E])
        #expect(offer.options.maxRequestID != nil)
        let client = RawHarness(.draft14, peer: .client)
        client.session.start()
        try client.peer.setUp(SetupOptions(versions: [0xFF00_000D, Self.version, 1]))
        client.run()
        #expect(client.session.state == .established)
        guard case .setup(let selection) = client.peer.messages.first else {
            Issue.record("\(client.peer.messages)")
            return
        }
        #expect(selection.options.versions == [Self.version])
    }

    @Test(
        "A version that does not fit closes the session with VERSION_NEGOTIATION_FAILED",
        arguments: [(Role.client, [0xFF00_000D, 1]), (.client, []), (.server, [0xFF00_000D])] as [(Role, [UInt64])]
    )
    func noCommonVersion(peer role: Role, versions: [UInt64]) throws {
        let harness = RawHarness(.draft14, peer: role)
        harness.session.start()
        if role == .client, versions.isEmpty {
            let stream = try harness.peer.transport.openBidirectionalStream(priority: .control)
            try stream.send.write([0x20, 0, 2, 0, 0])
            harness.peer.listen()
        } else {
            try harness.peer.setUp(SetupOptions(versions: versions))
        }
        harness.run()
        #expect(harness.handler.closures.map(\.code) == [.versionNegotiationFailed])
        #expect(harness.peer.closeCode == .versionNegotiationFailed)
        #expect(harness.handler.setups == 0)
        // The server has not answered.
        #expect(role == .server || harness.peer.messages.isEmpty)
    }

    @Test("A second bidirectional stream closes the session", arguments: Role.both)
    func secondStream(role: Role) throws {
        let harness = try RawHarness.established(.draft14, peer: role)
        let stream = try harness.peer.transport.openBidirectionalStream(priority: .request)
        let message = PublishNamespace(requestID: harness.peerID(), namespace: NamespaceTests.space)
        try stream.send.write(Bytes(try harness.peer.bytes(.publishNamespace(message))))
        harness.run()
        #expect(harness.handler.closures.map(\.code) == [.protocolViolation])
        #expect(harness.handler.announcements.isEmpty)
    }

    @Test("A request out of turn closes the session with INVALID_REQUEST_ID", arguments: Role.both)
    func outOfTurn(role: Role) throws {
        let harness = try RawHarness.established(.draft14, peer: role)
        for (index, id) in [UInt64(0), 1, 3].enumerated() {
            let message = PublishNamespace(
                requestID: harness.peerID(id),
                namespace: TrackNamespace(path: "n/\(index)")
            )
            try harness.peer.request(.publishNamespace(message))
        }
        harness.run()
        #expect(harness.handler.announcements.count == 2)
        #expect(harness.handler.closures.map(\.code) == [.invalidRequestID])
    }

    @Test("An answer to nothing, or to another kind of request, closes the session", arguments: Role.both)
    func wrongAnswers(role: Role) throws {
        let own = RequestID(role == .client ? 1 : 0)
        for hasRequest in [true, false] {
            for answers in [RequestKind.publishNamespace, .subscribeNamespace, .trackStatus] {
                let messages: [MoQMessage] = [
                    .requestOk(RequestOk(requestID: own, answers: answers)),
                    .requestError(RequestError(requestID: own, answers: answers, code: .internalError)),
                ]
                for message in messages {
                    let harness = try RawHarness.established(.draft14, peer: role)
                    if hasRequest {
                        harness.session.subscribe(
                            SubscribeRequest(track: Harness.track),
                            consumer: CollectingConsumer()
                        ) { _ in }
                        harness.run()
                    }
                    try harness.peer.sendControl(message)
                    harness.run()
                    #expect(harness.handler.closures.map(\.code) == [.protocolViolation], "\(message)")
                }
            }
        }
    }

    @Test("A second answer closes the session", arguments: Role.both)
    func secondAnswer(role: Role) throws {
        let harness = try RawHarness.established(.draft14, peer: role)
        var results = 0
        harness.session.publishNamespace(NamespaceTests.space) { _ in results += 1 }
        harness.run()
        let ok = RequestOk(requestID: RequestID(role == .client ? 1 : 0), answers: .publishNamespace)
        try harness.peer.sendControl(.requestOk(ok))
        harness.run()
        #expect(results == 1 && harness.session.isOpen)
        try harness.peer.sendControl(.requestOk(ok))
        harness.run()
        #expect(harness.handler.closures.map(\.code) == [.protocolViolation])
    }

    @Test("A second SUBSCRIBE for a track closes the session; after UNSUBSCRIBE it is welcome")
    func secondSubscribe() throws {
        let harness = try RawHarness.established(.draft14, peer: .client)
        harness.handler.onSubscribe = { _ = $0.accept() }
        for index in UInt64(0)..<3 {
            if index == 1 {
                try harness.peer.sendControl(.unsubscribe(Unsubscribe(requestID: harness.peerID())))
            }
            #expect(harness.session.isOpen)
            try harness.peer.request(.subscribe(Subscribe(requestID: harness.peerID(index), track: Harness.track)))
            harness.run()
        }
        let accepted = harness.peer.messages.count { message in
            if case .subscribeOk = message { true } else { false }
        }
        #expect(accepted == 2)
        #expect(harness.handler.closures.map(\.code) == [.protocolViolation])
    }

    @Test("A SUBSCRIBE that crosses our PUBLISH is refused, and nothing else")
    func crossing() throws {
        let harness = try RawHarness.established(.draft14, peer: .client)
        harness.session.publish(PublishRequest(track: Harness.track)) { _ in }
        try harness.peer.request(.subscribe(Subscribe(requestID: harness.peerID(), track: Harness.track)))
        harness.run()
        let codes = harness.peer.messages.compactMap { message in
            if case .requestError(let error) = message { error.code } else { nil }
        }
        #expect(codes == [.internalError])
        #expect(harness.session.isOpen)
    }

    @Test("PUBLISH_OK says the publisher's group order, unless told otherwise", arguments: [nil, GroupOrder.ascending])
    func publishOkOrder(wanted: GroupOrder?) throws {
        let harness = try RawHarness.established(.draft14, peer: .client)
        harness.handler.onPublish = {
            $0.accept(parameters: SubscriptionParameters(groupOrder: wanted), consumer: CollectingConsumer())
        }
        let properties = try PropertyList([
            try #require(KeyValuePair(type: PropertyType.defaultPublisherGroupOrder, integer: 2))
        ])
        let message = Publish(
            requestID: harness.peerID(),
            track: Harness.track,
            trackAlias: TrackAlias(5),
            properties: properties
        )
        try harness.peer.request(.publish(message))
        harness.run()
        guard case .publishOk(let ok) = harness.peer.messages.last else {
            Issue.record("\(harness.peer.messages)")
            return
        }
        #expect(ok.parameters.groupOrder == wanted ?? .descending)
        #expect(ok.parameters.forward == true)
    }

    @Test("A question about a track is answered with its timeouts")
    func trackStatus() throws {
        let harness = Harness.established(Variant(profile: .draft14, subscriber: .client))
        let properties = try PropertyList([
            try #require(KeyValuePair(type: PropertyType.objectDeliveryTimeout, integer: 700)),
            try #require(KeyValuePair(type: PropertyType.maxCacheDuration, integer: 9_000)),
        ])
        harness.publisherHandler.onTrackStatus = { $0.accept(largest: nil, properties: properties) }
        var results: [Result<RequestOk, MoQError>] = []
        harness.subscriber.trackStatus(of: Harness.track) { results.append($0) }
        harness.run()
        let ok = try #require(try results.first?.get())
        #expect(ok.properties.integer(PropertyType.objectDeliveryTimeout) == 700)
        #expect(ok.properties.integer(PropertyType.maxCacheDuration) == 9_000)
    }

    @Test("A fetch says its order, and so does its answer")
    func fetchOrder() throws {
        for order in [nil, GroupOrder.descending] {
            let harness = Harness.established(Variant(profile: .draft14, subscriber: .client))
            harness.serveFetches { $0.finish() }
            let consumer = CollectingFetch()
            harness.fetch(parameters: FetchParameters(groupOrder: order), consumer)
            harness.run()
            #expect(try consumer.responses.first?.get().groupOrder == order ?? .ascending)
        }
    }

    @Test("What a fetch leaves out for lack of knowledge breaks it off, since that cannot be said")
    func unknownGap() {
        let harness = Harness.established(Variant(profile: .draft14, subscriber: .client))
        let delegate = RecordingFetchDelegate()
        let box = Box<FetchPublisher>()
        harness.serveFetches(delegate: delegate) { publisher in
            publisher.send(0, 0)
            publisher.endRange(.nonExistent, through: Location(group: 1, object: 0))
            box.value = publisher
        }
        let consumer = CollectingFetch()
        harness.fetch(consumer)
        harness.run()
        #expect(consumer.locations == [Location(group: 0, object: 0)])
        #expect(consumer.outcomes.isEmpty)
        box.value?.endRange(.unknown, through: Location(group: 2, object: 0))
        harness.run()
        #expect(delegate.ends == [.reset])
        #expect(consumer.outcomes == [.reset(.internalError)])
    }
}
