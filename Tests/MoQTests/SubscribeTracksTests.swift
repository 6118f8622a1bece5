// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Subscribing to all tracks of a namespace", .timeLimit(.minutes(2)))
struct SubscribeTracksTests {
    private let prefix = TrackNamespace(path: "live")

    @Test("The request says that it is about tracks, and the tracks come with PUBLISH", arguments: Variant.all)
    func offered(variant: Variant) throws {
        let harness = Harness.established(variant)
        harness.publisherHandler.onFeed = { [unowned harness] request in
            // Draft 14 asks for namespaces and tracks alike, and for nothing else.
            #expect(request.request.interest == (variant.profile == .draft14 ? .both : .tracks))
            #expect(request.request.forward == (variant.profile == .draft14 ? nil : false))
            #expect(request.prefix == self.prefix)
            #expect(request.isSubscribeTracks == (variant.profile == .draft18))
            request.accept()
            // Nobody asked for namespaces.
            request.publish(Harness.track.namespace)
            harness.publisherHandler.feeds.append(request)
        }
        var events: [NamespaceEvent] = []
        var successes = 0
        let subscription = harness.subscriber.subscribeTracks(
            self.prefix,
            forward: variant.profile == .draft14 ? nil : false,
            events: { events.append($0) },
            response: { result in successes += result.failure == nil ? 1 : 0 }
        )
        harness.run()
        #expect(successes == 1)
        #expect(subscription.isEstablished)
        harness.publisher.publish(PublishRequest(track: Harness.track, forward: false)) { _ in }
        harness.run()
        #expect(harness.subscriberHandler.publishes.map(\.request.track) == [Harness.track])
        #expect(events.isEmpty)
        subscription.cancel()
        harness.run()
        #expect(events == [.ended(nil)])
    }

    @Test("A track that cannot be offered is named")
    func blocked() {
        let harness = Harness.established(Variant(profile: .draft18, subscriber: .client))
        harness.publisherHandler.onFeed = { [unowned harness] request in
            request.block(Harness.track)
            request.accept()
            request.block(Harness.track)
            request.block(FullTrackName(namespace: TrackNamespace(path: "elsewhere"), name: "x"))
            harness.publisherHandler.feeds.append(request)
        }
        var events: [NamespaceEvent] = []
        harness.subscriber.subscribeTracks(self.prefix, events: { events.append($0) }, response: { _ in })
        harness.run()
        #expect(events == [.blocked(Harness.track)])
        #expect(harness.subscriber.isOpen)
    }

    @Test("PUBLISH_BLOCKED before the answer closes the session")
    func blockedFirst() throws {
        let harness = try RawHarness.established(.draft18, peer: .server)
        harness.session.subscribeTracks(self.prefix, events: { _ in }, response: { _ in })
        harness.run()
        try harness.peer.reply(.publishBlocked(PublishBlocked(suffix: TrackNamespace(path: "a"), name: [1])))
        harness.run()
        #expect(harness.handler.closures.map(\.code) == [.protocolViolation])
    }

    @Test("NAMESPACE does not belong into the answer to SUBSCRIBE_TRACKS")
    func namespace() throws {
        let harness = try RawHarness.established(.draft18, peer: .server)
        harness.session.subscribeTracks(self.prefix, events: { _ in }, response: { _ in })
        harness.run()
        try harness.peer.reply(.requestOk(RequestOk(answers: .subscribeTracks)))
        try harness.peer.reply(.namespace(Namespace(suffix: TrackNamespace(path: "a"))))
        harness.run()
        #expect(harness.handler.closures.map(\.code) == [.protocolViolation])
    }

    @Test(
        "Prefixes of one kind of request must not overlap; the kinds do not disturb each other",
        arguments: Variant.all
    )
    func overlap(variant: Variant) {
        let harness = Harness.established(variant)
        harness.publisherHandler.onFeed = { [unowned harness] request in
            request.accept()
            harness.publisherHandler.feeds.append(request)
        }
        var codes: [MoQError.Code?] = []
        harness.subscriber.subscribeTracks(self.prefix, events: { _ in }, response: { codes.append($0.failure?.code) })
        harness.run()
        harness.subscriber.subscribeNamespace(
            self.prefix,
            events: { _ in },
            response: { codes.append($0.failure?.code) }
        )
        harness.run()
        harness.subscriber.subscribeTracks(
            Harness.track.namespace,
            events: { _ in },
            response: { codes.append($0.failure?.code) }
        )
        harness.run()
        #expect(codes == [nil, variant.profile == .draft18 ? nil : .prefixOverlap, .prefixOverlap])
    }

    @Test("The publisher's side refuses prefixes that overlap, too")
    func overlapAtPublisher() throws {
        let harness = try RawHarness.established(.draft18, peer: .client)
        harness.handler.onFeed = { [unowned harness] request in
            request.accept()
            harness.handler.feeds.append(request)
        }
        let wide = SubscribeTracks(requestID: harness.peerID(0), prefix: self.prefix)
        let narrow = SubscribeTracks(requestID: harness.peerID(1), prefix: Harness.track.namespace)
        let other = SubscribeNamespace(requestID: harness.peerID(2), prefix: self.prefix)
        try harness.peer.request(.subscribeTracks(wide))
        harness.run()
        try harness.peer.request(.subscribeTracks(narrow))
        try harness.peer.request(.subscribeNamespace(other))
        harness.run()
        let codes = harness.peer.messages.compactMap { message in
            if case .requestError(let error) = message { error.code } else { nil }
        }
        #expect(codes == [.prefixOverlap])
        #expect(harness.handler.feeds.count == 2)
    }
}
