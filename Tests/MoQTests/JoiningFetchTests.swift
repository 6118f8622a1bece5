// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Joining fetches", .timeLimit(.minutes(2)))
struct JoiningFetchTests {
    private let joining = Location(group: 5, object: 3)

    /// A subscription that may be joined on every draft.
    private func subscribe(_ harness: Harness, largest: Location?) throws -> (Subscription, TrackPublisher) {
        try harness.subscribe(
            parameters: SubscriptionParameters(filter: .nextObject),
            largest: largest,
            consumer: CollectingConsumer()
        )
    }

    private func join(_ subscription: Subscription, _ start: JoiningStart, _ consumer: CollectingFetch) {
        subscription.fetch(from: start, consumer: consumer) { consumer.responses.append($0) }
    }

    @Test("The range ends where the subscription began", arguments: Variant.all)
    func ranges(variant: Variant) throws {
        let harness = Harness.established(variant)
        let (subscription, publisher) = try self.subscribe(harness, largest: self.joining)
        publisher.send(group: 6, [[1], [2]])
        let starts: [(JoiningStart, UInt64)] = [
            (.groupsBack(0), 5), (.groupsBack(2), 3), (.groupsBack(9), 0), (.group(0), 0), (.group(5), 5),
        ]
        for (start, group) in starts {
            let consumer = CollectingFetch()
            self.join(subscription, start, consumer)
            harness.run()
            let last = harness.publisherHandler.fetches.popLast()
            let request = try #require(last)
            #expect(request.track == Harness.track)
            #expect(request.start == Location(group: group, object: 0))
            #expect(request.end == .object(self.joining), "what was published since does not matter")
            request.accept(largest: Location(group: 6, object: 1)).finish()
            harness.run()
            let ok = try #require(try consumer.responses.first?.get())
            #expect(ok.end == .object(self.joining))
            #expect(consumer.outcomes == [.complete])
        }
        #expect(subscription.state == .active)
    }

    @Test("A joining fetch waits for the answer to its SUBSCRIBE", arguments: Variant.all, [true, false])
    func pending(variant: Variant, isAccepted: Bool) throws {
        let harness = Harness.established(variant)
        let subscription = harness.subscriber.subscribe(
            SubscribeRequest(track: Harness.track, parameters: SubscriptionParameters(filter: .nextObject)),
            consumer: CollectingConsumer()
        ) { _ in }
        let consumer = CollectingFetch()
        self.join(subscription, .groupsBack(1), consumer)
        harness.run(.seconds(30))
        #expect(harness.publisherHandler.fetches.isEmpty)
        #expect(consumer.responses.isEmpty)
        let request = try #require(harness.publisherHandler.subscribes.first)
        guard isAccepted else {
            request.reject(.doesNotExist)
            harness.run()
            #expect(consumer.responses.map { $0.failure?.requestError } == [.invalidJoiningRequestID])
            harness.expectNothingLive()
            return
        }
        _ = request.accept(largest: self.joining)
        harness.run()
        let fetch = try #require(harness.publisherHandler.fetches.first)
        #expect(fetch.start == Location(group: 4, object: 0))
        #expect(fetch.end == .object(self.joining))
    }

    @Test("A joining fetch that waits can be cancelled", arguments: Variant.all)
    func cancelWaiting(variant: Variant) throws {
        let harness = Harness.established(variant)
        let subscription = harness.subscriber.subscribe(
            SubscribeRequest(track: Harness.track, parameters: SubscriptionParameters(filter: .nextObject)),
            consumer: CollectingConsumer()
        ) { _ in }
        let receiver = subscription.fetch(from: .groupsBack(1), consumer: CollectingFetch()) { _ in }
        harness.run()
        receiver.cancel()
        harness.run()
        _ = try #require(harness.publisherHandler.subscribes.first).accept(largest: self.joining)
        harness.run()
        #expect(harness.publisherHandler.fetches.isEmpty)
        #expect(harness.publisher.counters.liveRequests == 1)
    }

    @Test("Nothing before the subscription, or a start after it, is answered INVALID_RANGE", arguments: Variant.all)
    func invalidRange(variant: Variant) throws {
        for largest in [nil, self.joining] {
            let harness = Harness.established(variant)
            let (subscription, _) = try self.subscribe(harness, largest: largest)
            let consumer = CollectingFetch()
            self.join(subscription, .group(6), consumer)
            harness.run()
            #expect(consumer.responses.map { $0.failure?.requestError } == [.invalidRange])
            #expect(harness.publisher.isOpen)
        }
    }

    @Test("A subscription that is over cannot be joined", arguments: Variant.all)
    func over(variant: Variant) throws {
        let harness = Harness.established(variant)
        let (subscription, publisher) = try self.subscribe(harness, largest: self.joining)
        publisher.end()
        harness.run(.milliseconds(250))
        let consumer = CollectingFetch()
        self.join(subscription, .groupsBack(0), consumer)
        harness.run()
        #expect(consumer.responses.map { $0.failure?.code } == [.invalidState])
    }

    @Test("A track that was offered with PUBLISH can be joined", arguments: Variant.all)
    func published(variant: Variant) throws {
        let harness = Harness.established(variant)
        let box = Box<Subscription>()
        harness.subscriberHandler.onPublish = { request in
            let parameters = SubscriptionParameters(filter: .nextObject)
            box.value = request.accept(parameters: parameters, consumer: CollectingConsumer())
        }
        harness.publisher.publish(PublishRequest(track: Harness.track, largestObject: self.joining)) { _ in }
        harness.run()
        let consumer = CollectingFetch()
        self.join(try #require(box.value), .groupsBack(1), consumer)
        harness.run()
        let request = try #require(harness.publisherHandler.fetches.first)
        #expect(request.start == Location(group: 4, object: 0))
        #expect(request.end == .object(self.joining))
    }

    @Test(
        "Up to draft 16 the filter must be Largest Object: who asks nevertheless is closed",
        arguments: [DraftProfile.draft16, .draft14],
        [true, false]
    )
    func filter16(profile: DraftProfile, isAnswered: Bool) throws {
        let harness = try RawHarness.established(profile, peer: .client)
        if isAnswered {
            harness.handler.onSubscribe = { _ = $0.accept(largest: self.joining) }
        }
        try harness.peer.request(.subscribe(Subscribe(requestID: harness.peerID(), track: Harness.track)))
        let target = FetchTarget.relativeJoining(subscription: harness.peerID(), groupsBack: 1)
        try harness.peer.request(.fetch(Fetch(requestID: harness.peerID(1), target: target)))
        harness.run()
        #expect(harness.handler.closures.map(\.code) == [.protocolViolation])
        #expect(harness.handler.fetches.isEmpty)
    }

    @Test("Our side does not ask for what would close the session")
    func ownFilter16() throws {
        let harness = Harness.established(Variant(profile: .draft16, subscriber: .client))
        let (subscription, _) = try harness.subscribe(largest: self.joining, consumer: CollectingConsumer())
        let consumer = CollectingFetch()
        self.join(subscription, .groupsBack(0), consumer)
        harness.run()
        #expect(consumer.responses.map { $0.failure?.code } == [.invalidState])
        #expect(harness.publisher.isOpen)
    }

    @Test("Draft 18 wants forward state 1, and counts from when it was turned on", arguments: [Role.client, .server])
    func forward18(subscriber: Role) throws {
        let harness = Harness.established(Variant(profile: .draft18, subscriber: subscriber))
        let (subscription, publisher) = try harness.subscribe(
            parameters: SubscriptionParameters(forward: false),
            largest: self.joining,
            consumer: CollectingConsumer()
        )
        let consumer = CollectingFetch()
        self.join(subscription, .groupsBack(0), consumer)
        harness.run()
        #expect(consumer.responses.map { $0.failure?.requestError } == [.invalidRange])
        let delegate = LargestDelegate(Location(group: 8, object: 1))
        publisher.delegate = delegate
        subscription.update(forward: true)
        harness.run()
        self.join(subscription, .groupsBack(1), CollectingFetch())
        harness.run()
        let request = try #require(harness.publisherHandler.fetches.first)
        #expect(request.start == Location(group: 7, object: 0))
        #expect(request.end == .object(Location(group: 8, object: 1)))
        // Turning it off again changes nothing for the fetch that was accepted.
        let fetch = request.accept(largest: Location(group: 8, object: 1))
        subscription.update(forward: false)
        harness.run()
        #expect(!fetch.isEnded)
    }

    @Test("A request id that is no subscription is answered INVALID_JOINING_REQUEST_ID", arguments: DraftProfile.all)
    func unknown(profile: DraftProfile) throws {
        let harness = try RawHarness.established(profile, peer: .client)
        harness.handler.onAnnouncement = { $0.accept() }
        let announcement = PublishNamespace(requestID: harness.peerID(0), namespace: NamespaceTests.space)
        try harness.peer.request(.publishNamespace(announcement))
        // One that does not exist, one that is no subscription, one of the wrong side, one that was refused.
        harness.handler.onSubscribe = { $0.reject(.doesNotExist) }
        try harness.peer.request(.subscribe(Subscribe(requestID: harness.peerID(1), track: Harness.track)))
        let ids = [harness.peerID(40), harness.peerID(0), RequestID(1), harness.peerID(1)]
        for (index, id) in ids.enumerated() {
            let target = FetchTarget.absoluteJoining(subscription: id, startGroup: 0)
            let fetch = Fetch(requestID: harness.peerID(UInt64(index) + 2), target: target)
            try harness.peer.request(.fetch(fetch))
        }
        harness.run(.seconds(2))
        let codes = harness.peer.messages.compactMap { message in
            if case .requestError(let error) = message { error.code } else { nil }
        }
        #expect(codes.filter { $0 == .invalidJoiningRequestID }.count == ids.count)
        #expect(harness.session.isOpen)
        #expect(harness.session.counters.liveRequests == 1)
    }

    @Test("A PUBLISH that is not answered cannot be joined", arguments: DraftProfile.all)
    func unansweredOffer(profile: DraftProfile) throws {
        let harness = try RawHarness.established(profile, peer: .server)
        let offer = harness.session.publish(PublishRequest(track: Harness.track, largestObject: self.joining)) { _ in }
        harness.run()
        let target = FetchTarget.absoluteJoining(subscription: try #require(offer.requestID), startGroup: 0)
        try harness.peer.request(.fetch(Fetch(requestID: harness.peerID(), target: target)))
        harness.run()
        let codes = harness.peer.messages.compactMap { message in
            if case .requestError(let error) = message { error.code } else { nil }
        }
        #expect(codes == [.invalidJoiningRequestID])
    }

    @Test("Joining fetches whose SUBSCRIBE never came leave room for others")
    func overtakingBound() throws {
        var configuration = MoQSessionConfiguration()
        configuration.maxHeldStreams = 2
        let harness = try RawHarness.established(.draft18, peer: .client, configuration: configuration)
        harness.handler.onSubscribe = { _ = $0.accept(largest: self.joining) }
        var refusals: Int {
            harness.peer.messages.count { message in
                if case .requestError(let error) = message { error.code == .invalidJoiningRequestID } else { false }
            }
        }
        for (index, id) in [(UInt64(1), harness.peerID(90)), (2, harness.peerID(91)), (3, harness.peerID(92))] {
            let target = FetchTarget.absoluteJoining(subscription: id, startGroup: 0)
            try harness.peer.request(.fetch(Fetch(requestID: harness.peerID(index), target: target)))
        }
        harness.run()
        #expect(refusals == 1, "the third finds no room to wait")
        harness.run(.seconds(1))
        #expect(refusals == 3)
        let target = FetchTarget.absoluteJoining(subscription: harness.peerID(0), startGroup: 2)
        try harness.peer.request(.fetch(Fetch(requestID: harness.peerID(4), target: target)))
        harness.run()
        try harness.peer.request(.subscribe(Subscribe(requestID: harness.peerID(0), track: Harness.track)))
        harness.run()
        #expect(harness.handler.fetches.count == 1)
        #expect(refusals == 3)
    }

    @Test("A joining fetch may overtake its SUBSCRIBE on draft 18")
    func overtaking() throws {
        let harness = try RawHarness.established(.draft18, peer: .client)
        harness.handler.onSubscribe = { _ = $0.accept(largest: self.joining) }
        let target = FetchTarget.absoluteJoining(subscription: harness.peerID(0), startGroup: 2)
        try harness.peer.request(.fetch(Fetch(requestID: harness.peerID(1), target: target)))
        harness.run()
        #expect(harness.handler.fetches.isEmpty)
        try harness.peer.request(.subscribe(Subscribe(requestID: harness.peerID(0), track: Harness.track)))
        harness.run()
        let request = try #require(harness.handler.fetches.first)
        #expect(request.start == Location(group: 2, object: 0))
        #expect(request.end == .object(self.joining))
    }
}

/// Knows how far its track is.
private final class LargestDelegate: TrackPublisherDelegate {
    let largest: Location

    init(_ largest: Location) {
        self.largest = largest
    }

    func trackPublisher(_ publisher: TrackPublisher, didChangeForward forward: Bool) {}

    func trackPublisherLargestObject(_ publisher: TrackPublisher) -> Location? {
        self.largest
    }

    func trackPublisher(_ publisher: TrackPublisher, didEnd end: TrackPublisherEnd) {}
}
