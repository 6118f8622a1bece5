// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Calls from inside callbacks", .timeLimit(.minutes(2)))
struct ReentrancyTests {
    /// The callbacks that a session is closed from.
    enum Place: String, CaseIterable, Sendable {
        case setUp
        case subscribe
        case response
        case subgroup
        case object
        case payload
        case subgroupEnd
        case datagram
        case trackEnd
        case forward
        case publisherEnd
        case announcement
        case withdrawal
        case feed
        case namespaceEvent
        case goaway
        case publish
    }

    @Test("A session can be closed from everywhere", arguments: Variant.all, Place.allCases)
    func close(variant: Variant, place: Place) throws {
        let harness = Harness(variant)
        let close: (Place, MoQSession) -> Void = { here, session in
            if here == place {
                session.close(.noError, reason: "from \(here.rawValue)")
            }
        }
        let subscriber = harness.subscriber
        let publisher = harness.publisher
        let consumer = CollectingConsumer()
        let delegate = RecordingDelegate()
        consumer.onSubgroup = { close(.subgroup, subscriber) }
        consumer.onObject = { close(.object, subscriber) }
        consumer.onPayload = { close(.payload, subscriber) }
        consumer.onSubgroupEnd = { close(.subgroupEnd, subscriber) }
        consumer.onDatagram = { close(.datagram, subscriber) }
        consumer.onEnd = { close(.trackEnd, subscriber) }
        delegate.onForward = { publisher, _ in close(.forward, publisher.session) }
        delegate.onEnd = { close(.publisherEnd, $0.session) }
        harness.subscriberHandler.onSetUp = { close(.setUp, $0) }
        harness.subscriberHandler.onGoaway = { close(.goaway, $0) }
        harness.subscriberHandler.onPublish = { request in
            request.accept(consumer: CollectingConsumer())
            close(.publish, subscriber)
        }
        harness.subscriberHandler.onAnnouncement = { request in
            request.onWithdrawn = { close(.withdrawal, subscriber) }
            request.accept()
            close(.announcement, subscriber)
        }
        harness.publisherHandler.onFeed = { [unowned harness] request in
            request.accept()
            request.publish(TrackNamespace(path: "live/x"))
            harness.publisherHandler.feeds.append(request)
            close(.feed, publisher)
        }
        let accepted = Box<TrackPublisher>()
        harness.publisherHandler.onSubscribe = { request in
            close(.subscribe, publisher)
            let track = request.accept()
            track.delegate = delegate
            accepted.value = track
        }
        harness.start()
        harness.run()
        let subscription = subscriber.subscribe(SubscribeRequest(track: Harness.track), consumer: consumer) {
            consumer.responses.append($0)
            close(.response, subscriber)
        }
        subscriber.subscribeNamespace(
            TrackNamespace(path: "live"),
            events: { _ in close(.namespaceEvent, subscriber) },
            response: {
                _ in
            }
        )
        let announcement = publisher.publishNamespace(TrackNamespace(path: "live/y")) { _ in }
        publisher.publish(PublishRequest(track: FullTrackName(namespace: TrackNamespace(path: "p"), name: "t"))) { _ in
        }
        harness.run()
        // A track of draft 14 has one way of sending.
        if place == .datagram || variant.profile != .draft14 {
            accepted.value?.receive(
                ObjectDatagram(trackAlias: TrackAlias(0), groupID: 0, objectID: 0),
                payload: [1]
            )
        }
        if place != .datagram || variant.profile != .draft14 {
            accepted.value?.send(group: 1, [pattern(3_000), pattern(10)])
        }
        harness.run()
        subscription.update(forward: false)
        announcement.withdraw()
        harness.run()
        accepted.value?.end()
        harness.run()
        publisher.sendGoaway()
        harness.run()

        let isClosed = !subscriber.isOpen && !publisher.isOpen
        #expect(isClosed, "nothing was closed from \(place)")
        #expect(harness.clientHandler.closures.count == 1)
        #expect(harness.serverHandler.closures.count == 1)
        let isToldOnce = consumer.responses.count == 1
        #expect(isToldOnce)
        #expect(consumer.ends.count == (consumer.responses.first?.failure == nil ? 1 : 0))
        #expect(consumer.subgroups.allSatisfy { $0.ends.count == 1 })
        harness.expectNothingLive()
        harness.run(.seconds(30))
        #expect(harness.loop.counters.liveTimers == 0)
    }

    @Test("A subscription can be cancelled from every call of its consumer", arguments: Variant.all, 0..<5)
    func cancel(variant: Variant, place: Int) throws {
        let harness = Harness.established(variant)
        let consumer = CollectingConsumer()
        let (subscription, publisher) = try harness.subscribe(consumer: consumer)
        let cancel: () -> Void = { subscription.cancel() }
        switch place {
        case 0: consumer.onSubgroup = cancel
        case 1: consumer.onObject = cancel
        case 2: consumer.onPayload = cancel
        case 3: consumer.onSubgroupEnd = cancel
        default: consumer.onDatagram = cancel
        }
        // A track of draft 14 has one way of sending.
        if place == 4 || variant.profile != .draft14 {
            publisher.receive(ObjectDatagram(trackAlias: TrackAlias(0), groupID: 0, objectID: 0), payload: [1])
        }
        if place != 4 || variant.profile != .draft14 {
            publisher.send(group: 1, [pattern(3_000), pattern(10)])
            publisher.send(group: 2, [pattern(10)])
        }
        harness.run()
        #expect(consumer.ends.map(\.cause) == [.cancelled])
        #expect(consumer.subgroups.allSatisfy { $0.ends.count == 1 })
        #expect(harness.subscriber.isOpen)
        #expect(harness.publisher.isOpen)
        harness.expectNothingLive()
    }
}
