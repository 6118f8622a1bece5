// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Subscribing", .timeLimit(.minutes(2)))
struct SubscribeTests {
    @Test("SUBSCRIBE and its answer carry what they should", arguments: Variant.all)
    func accepted(variant: Variant) throws {
        let harness = Harness.established(variant)
        let consumer = CollectingConsumer()
        let properties = try PropertyList([
            try #require(KeyValuePair(type: PropertyType.defaultPublisherPriority, integer: 7))
        ])
        let parameters = SubscriptionParameters(subscriberPriority: 3, groupOrder: .descending, filter: .nextGroup)
        let (subscription, publisher) = try harness.subscribe(
            parameters: parameters,
            largest: Location(group: 4, object: 2),
            properties: properties,
            consumer: consumer
        )

        let ok = try #require(try consumer.responses.first?.get())
        #expect(consumer.responses.count == 1)
        #expect(ok.largestObject == Location(group: 4, object: 2))
        #expect(ok.trackAlias == publisher.trackAlias)
        #expect(subscription.state == .active)
        // Draft 14 has no place for this property.
        #expect(subscription.properties.defaultPublisherPriority == (variant.profile == .draft14 ? nil : 7))
        #expect(publisher.subscriberPriority == 3)
        #expect(publisher.groupOrder == .descending)
        #expect(publisher.forward)
        #expect(harness.subscriber.counters.liveSubscriptions == 1)
        #expect(harness.publisher.counters.livePublications == 1)
    }

    @Test("A refusal carries code, reason and retry", arguments: Variant.all)
    func rejected(variant: Variant) throws {
        let harness = Harness.established(variant)
        harness.publisherHandler.onSubscribe = {
            $0.reject(.doesNotExist, reason: "no such track", retryAfter: 500)
        }
        let consumer = CollectingConsumer()
        let subscription = harness.subscriber.subscribe(
            SubscribeRequest(track: Harness.track),
            consumer: consumer
        ) { consumer.responses.append($0) }
        harness.run()
        let error = try #require(consumer.responses.first?.failure)
        #expect(error.requestError == .doesNotExist)
        #expect(error.message == "no such track")
        #expect(error.retryAfter == (variant.profile == .draft14 ? nil : 500))
        #expect(subscription.state == .ended)
        #expect(consumer.ends.isEmpty)
        #expect(harness.subscriber.counters.liveRequests == 0)
        #expect(harness.publisher.counters.liveRequests == 0)
    }

    @Test("A request that the handler drops is answered INTERNAL_ERROR", arguments: Variant.all)
    func dropped(variant: Variant) {
        let harness = Harness.established(variant)
        harness.publisherHandler.onSubscribe = { _ in }
        harness.publisherHandler.onAnnouncement = { _ in }
        harness.publisherHandler.onFeed = { _ in }
        harness.publisherHandler.onPublish = { _ in }
        var errors: [RequestErrorCode?] = []
        harness.subscriber.subscribe(
            SubscribeRequest(track: Harness.track),
            consumer: CollectingConsumer()
        ) { errors.append($0.failure?.requestError) }
        harness.subscriber.publishNamespace(TrackNamespace(path: "a")) { errors.append($0.failure?.requestError) }
        harness.subscriber.subscribeNamespace(
            TrackNamespace(path: "b"),
            events: { _ in },
            response: { errors.append($0.failure?.requestError) }
        )
        harness.subscriber.publish(PublishRequest(track: Harness.track)) { errors.append($0.failure?.requestError) }
        harness.run()
        #expect(errors == [.internalError, .internalError, .internalError, .internalError])
    }

    @Test("An answer may come later", arguments: Variant.all)
    func later(variant: Variant) throws {
        let harness = Harness.established(variant)
        let consumer = CollectingConsumer()
        harness.subscriber.subscribe(
            SubscribeRequest(track: Harness.track),
            consumer: consumer
        ) { consumer.responses.append($0) }
        harness.run(.seconds(30))
        #expect(consumer.responses.isEmpty)
        let request = try #require(harness.publisherHandler.subscribes.first)
        #expect(request.isPending)
        _ = request.accept()
        #expect(!request.isPending)
        harness.run()
        #expect(consumer.responses.first?.failure == nil)
        #expect(consumer.responses.count == 1)
    }

    @Test("A cancel before the answer fails the response, and a late answer does no harm", arguments: Variant.all)
    func cancelPending(variant: Variant) throws {
        let harness = Harness.established(variant)
        let consumer = CollectingConsumer()
        var cancels = 0
        harness.publisherHandler.onSubscribe = { [unowned harness] request in
            request.onCancelled = { cancels += 1 }
            harness.publisherHandler.subscribes.append(request)
        }
        let subscription = harness.subscriber.subscribe(
            SubscribeRequest(track: Harness.track),
            consumer: consumer
        ) { consumer.responses.append($0) }
        harness.run()
        // The cancel and the answer cross.
        subscription.cancel()
        let request = try #require(harness.publisherHandler.subscribes.first)
        let publisher = request.accept()
        #expect(consumer.responses.first?.failure?.code == .cancelled)
        harness.run()
        #expect(consumer.responses.count == 1)
        #expect(consumer.ends.isEmpty)
        #expect(publisher.isEnded)
        #expect(harness.subscriber.isOpen)
        #expect(harness.publisher.isOpen)
        #expect(harness.publisher.counters.livePublications == 0)
        #expect(harness.subscriber.counters.liveRequests == 0)
        #expect(cancels == 0, "it was answered by then")
    }

    @Test("A cancel that arrives before the answer is told", arguments: Variant.all)
    func cancelUnanswered(variant: Variant) throws {
        let harness = Harness.established(variant)
        var cancels = 0
        harness.publisherHandler.onSubscribe = { [unowned harness] request in
            request.onCancelled = { cancels += 1 }
            harness.publisherHandler.subscribes.append(request)
        }
        let subscription = harness.subscriber.subscribe(
            SubscribeRequest(track: Harness.track),
            consumer: CollectingConsumer()
        ) { _ in }
        harness.run()
        subscription.cancel()
        harness.run()
        #expect(cancels == 1)
        let request = try #require(harness.publisherHandler.subscribes.first)
        #expect(request.accept().isEnded)
        harness.run()
        #expect(harness.publisher.isOpen)
        #expect(harness.publisher.counters.liveRequests == 0)
    }

    @Test("A cancel before the setup never sends the request", arguments: Variant.all)
    func cancelWaiting(variant: Variant) {
        let harness = Harness(variant)
        var codes: [MoQError.Code?] = []
        let subscription = harness.subscriber.subscribe(
            SubscribeRequest(track: Harness.track),
            consumer: CollectingConsumer()
        ) { codes.append($0.failure?.code) }
        subscription.cancel()
        #expect(codes == [.cancelled])
        harness.start()
        harness.run()
        #expect(harness.publisherHandler.subscribes.isEmpty)
        #expect(harness.subscriber.counters.liveRequests == 0)
    }

    @Test("A request made before the setup goes out with it", arguments: Variant.all)
    func beforeSetup(variant: Variant) throws {
        let harness = Harness(variant)
        let consumer = CollectingConsumer()
        harness.publisherHandler.onSubscribe = { _ = $0.accept() }
        harness.subscriber.subscribe(SubscribeRequest(track: Harness.track), consumer: consumer) {
            consumer.responses.append($0)
        }
        harness.start()
        harness.run()
        #expect(consumer.responses.count == 1)
        #expect(consumer.responses.first?.failure == nil)
    }

    @Test("Cancelling resets what is open, on both sides, and ends the track once", arguments: Variant.all)
    func cancelActive(variant: Variant) throws {
        let harness = Harness.established(variant)
        let consumer = CollectingConsumer()
        let (subscription, publisher) = try harness.subscribe(consumer: consumer)
        let delegate = RecordingDelegate()
        publisher.delegate = delegate
        let subgroup = try #require(publisher.beginSubgroup(SubgroupDescription(group: 0)))
        subgroup.send(0, pattern(100))
        harness.run()
        subscription.cancel()
        #expect(consumer.ends.map(\.cause) == [.cancelled])
        #expect(consumer.subgroups.map(\.ends) == [[.reset(.cancelled)]])
        harness.run()
        subgroup.send(1, pattern(100))
        subgroup.finish()
        #expect(publisher.beginSubgroup(SubgroupDescription(group: 1)) == nil)
        harness.run()
        #expect(delegate.ends == [.cancelledByPeer])
        #expect(consumer.ends.count == 1)
        #expect(consumer.contents.count == 1)
        harness.expectNothingLive()
    }

    @Test("A second subscription to the same track is refused on either side", arguments: Variant.all)
    func duplicate(variant: Variant) throws {
        let harness = Harness.established(variant)
        let consumer = CollectingConsumer()
        _ = try harness.subscribe(consumer: consumer)
        var codes: [MoQError.Code?] = []
        harness.subscriber.subscribe(SubscribeRequest(track: Harness.track), consumer: CollectingConsumer()) {
            codes.append($0.failure?.code)
        }
        harness.publisher.publish(PublishRequest(track: Harness.track)) { codes.append($0.failure?.code) }
        harness.run()
        #expect(codes == [.duplicateSubscription, .duplicateSubscription])
        #expect(consumer.ends.isEmpty)
    }

    @Test("A range that lies in the past is answered INVALID_RANGE", arguments: Variant.all)
    func invalidRange(variant: Variant) throws {
        let harness = Harness.established(variant)
        let consumer = CollectingConsumer()
        let filter = SubscriptionFilter.absoluteRange(start: Location(group: 1, object: 0), endGroup: 2)
        let (_, publisher) = try harness.subscribe(
            parameters: SubscriptionParameters(filter: filter),
            largest: Location(group: 5, object: 0),
            consumer: consumer
        )
        #expect(publisher.isEnded)
        #expect(consumer.responses.first?.failure?.requestError == .invalidRange)
    }

    @Test("Closing the session ends requests in every state, each once", arguments: Variant.all)
    func closeEndsAll(variant: Variant) throws {
        let harness = Harness.established(variant)
        let active = CollectingConsumer()
        let (_, publisher) = try harness.subscribe(consumer: active)
        let delegate = RecordingDelegate()
        publisher.delegate = delegate
        let subgroup = try #require(publisher.beginSubgroup(SubgroupDescription(group: 0)))
        subgroup.send(0, pattern(10))
        harness.run()
        let pending = CollectingConsumer()
        harness.publisherHandler.onSubscribe = nil
        let other = FullTrackName(namespace: Harness.track.namespace, name: "other")
        harness.subscriber.subscribe(SubscribeRequest(track: other), consumer: pending) {
            pending.responses.append($0)
        }
        var events: [NamespaceEvent] = []
        harness.publisherHandler.onFeed = { $0.accept() }
        harness.subscriber.subscribeNamespace(
            TrackNamespace(path: "a"),
            events: { events.append($0) },
            response: { _ in }
        )
        harness.run()

        harness.publisher.close(.internalError, reason: "gone")
        harness.run()
        #expect(active.ends.map(\.cause) == [.sessionClosed])
        #expect(active.subgroups.map(\.ends) == [[.reset(.sessionClosed)]])
        #expect(pending.ends.isEmpty)
        #expect(pending.responses.map { $0.failure?.code } == [.sessionClosed])
        #expect(events.count == 1)
        #expect(delegate.ends.count == 1)
        harness.expectNothingLive()
    }
}

extension Result {
    /// The error, if it is one.
    var failure: Failure? {
        guard case .failure(let error) = self else {
            return nil
        }
        return error
    }
}

extension Harness {
    /// Everything that lives and is counted is gone, on both sides.
    func expectNothingLive(sourceLocation: SourceLocation = #_sourceLocation) {
        for session in [self.client, self.server] {
            let counters = session.counters
            #expect(counters.liveRequests == 0, sourceLocation: sourceLocation)
            #expect(counters.liveSubscriptions == 0, sourceLocation: sourceLocation)
            #expect(counters.livePublications == 0, sourceLocation: sourceLocation)
            #expect(counters.liveFetches == 0, sourceLocation: sourceLocation)
            #expect(counters.liveFetchesServed == 0, sourceLocation: sourceLocation)
            #expect(counters.liveStreamsIn == 0, sourceLocation: sourceLocation)
            #expect(counters.liveStreamsOut == 0, sourceLocation: sourceLocation)
            #expect(counters.liveHeldStreams == 0, sourceLocation: sourceLocation)
        }
    }
}
