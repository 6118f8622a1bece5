// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Limits on requests", .timeLimit(.minutes(2)))
struct RequestLimitTests {
    @Test(
        "At draft 16 requests wait for MAX_REQUEST_ID, which rises as requests end",
        arguments: [Role.client, .server]
    )
    func window(role: Role) throws {
        var configuration = MoQSessionConfiguration()
        configuration.maxPeerRequests = 4
        let harness = Harness.established(
            Variant(profile: .draft16, subscriber: role),
            configuration: configuration
        )
        harness.publisherHandler.onAnnouncement = { [unowned harness] request in
            request.accept()
            harness.publisherHandler.announcements.append(request)
        }
        var answers = 0
        var publications: [NamespacePublication] = []
        for index in 0..<10 {
            let space = TrackNamespace(path: "n/\(index)")
            publications.append(harness.subscriber.publishNamespace(space) { _ in answers += 1 })
        }
        harness.run()
        #expect(answers == 4)
        #expect(harness.subscriber.counters.liveRequests == 10)
        for publication in publications[0..<3] {
            publication.withdraw()
        }
        harness.run()
        #expect(answers == 7)
        for publication in publications {
            publication.withdraw()
            harness.run()
        }
        #expect(answers == 10)
        harness.expectNothingLive()
    }

    @Test("A hundred requests, one after the other, fit a window of four", arguments: Variant.all)
    func many(variant: Variant) throws {
        var configuration = MoQSessionConfiguration()
        configuration.maxPeerRequests = 4
        let harness = Harness.established(variant, configuration: configuration)
        for _ in 0..<100 {
            let consumer = CollectingConsumer()
            let (subscription, _) = try harness.subscribe(consumer: consumer)
            subscription.update(forward: false)
            harness.run(.milliseconds(30))
            subscription.cancel()
            harness.run(.milliseconds(30))
        }
        harness.expectNothingLive()
        #expect(harness.subscriber.isOpen)
    }

    @Test("Updates of an offer that comes to nothing give their ids back", arguments: ["refused", "ended"])
    func updatesOfOffer(_ end: String) throws {
        var configuration = MoQSessionConfiguration()
        configuration.maxPeerRequests = 4
        let harness = try RawHarness.established(.draft16, peer: .client, configuration: configuration)
        let publisher = harness.session.publish(PublishRequest(track: Harness.track)) { _ in }
        harness.run()
        let offer = try #require(publisher.requestID)
        for index in UInt64(0)..<3 {
            let update = RequestUpdate(
                requestID: harness.peerID(index),
                existingRequestID: offer,
                parameters: SubscriptionParameters(subscriberPriority: 7)
            )
            try harness.peer.sendControl(.requestUpdate(update))
        }
        harness.run()
        if end == "refused" {
            let error = RequestError(requestID: offer, answers: .publish, code: .uninterested)
            try harness.peer.sendControl(.requestError(error))
        } else {
            publisher.end()
        }
        harness.run()
        let limits = harness.peer.messages.compactMap { message in
            if case .maxRequestID(let limit) = message { limit.maximum } else { nil }
        }
        #expect(limits.last == RequestID(14))
        #expect(harness.session.isOpen)
    }

    @Test("Too many waiting requests fail clearly")
    func tooManyWaiting() {
        var configuration = MoQSessionConfiguration()
        configuration.maxWaitingRequests = 2
        let harness = Harness(Variant(profile: .draft18, subscriber: .client), client: configuration)
        var codes: [MoQError.Code?] = []
        for index in 0..<3 {
            harness.client.publishNamespace(TrackNamespace(path: "n/\(index)")) { codes.append($0.failure?.code) }
        }
        harness.run()
        #expect(codes == [.requestLimit])
    }

    @Test("At draft 18 requests beyond the limit are refused with EXCESSIVE_LOAD")
    func excessive() {
        var configuration = MoQSessionConfiguration()
        configuration.maxPeerRequests = 2
        let harness = Harness.established(
            Variant(profile: .draft18, subscriber: .client),
            configuration: configuration
        )
        var codes: [RequestErrorCode?] = []
        for index in 0..<3 {
            harness.client.publishNamespace(TrackNamespace(path: "n/\(index)")) {
                codes.append($0.failure?.requestError)
            }
        }
        harness.run()
        #expect(codes == [.excessiveLoad])
        #expect(harness.serverHandler.announcements.count == 2)
    }

    @Test("What a draft cannot say fails the request and spends no id")
    func notExpressible() throws {
        let harness = Harness.established(Variant(profile: .draft16, subscriber: .client))
        var codes: [MoQError.Code?] = []
        let parameters = SubscriptionParameters(filter: .relativeGroup(back: 2))
        harness.client.subscribe(
            SubscribeRequest(track: Harness.track, parameters: parameters),
            consumer: CollectingConsumer()
        ) { codes.append($0.failure?.code) }
        harness.run()
        #expect(codes == [.notExpressible])
        let (subscription, _) = try harness.subscribe(consumer: CollectingConsumer())
        #expect(subscription.requestID == RequestID(0))
    }
}
