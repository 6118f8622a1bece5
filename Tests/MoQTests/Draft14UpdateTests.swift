// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Draft 14: SUBSCRIBE_UPDATE", .timeLimit(.minutes(2)))
struct Draft14UpdateTests {
    private let largest = Location(group: 4, object: 2)

    private func harness() -> Harness {
        Harness.established(Variant(profile: .draft14, subscriber: .client))
    }

    /// A session that serves one subscription of a raw peer.
    private func serving(
        _ filter: SubscriptionFilter? = nil,
        delegate: RecordingDelegate? = nil
    ) throws -> (RawHarness, TrackPublisher) {
        let harness = try RawHarness.established(.draft14, peer: .client)
        let box = Box<TrackPublisher>()
        harness.handler.onSubscribe = { request in
            box.value = request.accept(largest: self.largest)
            box.value?.delegate = delegate
        }
        let message = Subscribe(
            requestID: harness.peerID(),
            track: Harness.track,
            parameters: SubscriptionParameters(filter: filter)
        )
        try harness.peer.request(.subscribe(message))
        harness.run()
        return (harness, try #require(box.value))
    }

    private func update(
        _ harness: RawHarness,
        number: UInt64 = 1,
        of existing: RequestID? = nil,
        priority: UInt8 = 128,
        forward: Bool = true,
        _ filter: SubscriptionFilter = .absoluteStart(Location(group: 0, object: 0))
    ) throws {
        let message = RequestUpdate(
            requestID: harness.peerID(number),
            existingRequestID: existing ?? harness.peerID(),
            parameters: SubscriptionParameters(subscriberPriority: priority, forward: forward, filter: filter)
        )
        try harness.peer.sendControl(.requestUpdate(message))
        harness.run()
    }

    @Test("An update says everything that was asked for before, and succeeds when it is sent")
    func whole() throws {
        let harness = try RawHarness.established(.draft14, peer: .server)
        let subscription = harness.session.subscribe(
            SubscribeRequest(
                track: Harness.track,
                parameters: SubscriptionParameters(subscriberPriority: 9, filter: .nextObject)
            ),
            consumer: CollectingConsumer()
        ) { _ in }
        harness.run()
        try harness.peer.sendControl(
            .subscribeOk(
                SubscribeOk(
                    requestID: RequestID(0),
                    trackAlias: TrackAlias(1),
                    largestObject: self.largest,
                    groupOrder: .ascending
                )
            )
        )
        harness.run()
        var successes = 0
        subscription.update(forward: false) { result in successes += result.failure == nil ? 1 : 0 }
        #expect(successes == 1)
        subscription.update(priority: 3, filter: .absoluteRange(start: Location(group: 5, object: 0), endGroup: 7)) {
            successes += $0.failure == nil ? 1 : 0
        }
        #expect(successes == 2)
        harness.run()
        let updates = harness.peer.messages.compactMap { message in
            if case .requestUpdate(let update) = message { update } else { nil }
        }
        #expect(updates.map(\.requestID) == [RequestID(2), RequestID(4)])
        #expect(updates.map(\.existingRequestID) == [RequestID(0), RequestID(0)])
        #expect(
            updates.map(\.parameters) == [
                SubscriptionParameters(
                    subscriberPriority: 9,
                    forward: false,
                    filter: .absoluteStart(Location(group: 4, object: 3))
                ),
                SubscriptionParameters(
                    subscriberPriority: 3,
                    forward: false,
                    filter: .absoluteRange(start: Location(group: 5, object: 0), endGroup: 7)
                ),
            ]
        )
    }

    @Test("What an update cannot say fails, and spends no id")
    func notExpressible() throws {
        let harness = self.harness()
        let consumer = CollectingConsumer()
        let (subscription, _) = try harness.subscribe(
            parameters: SubscriptionParameters(filter: .absoluteStart(Location(group: 3, object: 0))),
            largest: self.largest,
            consumer: consumer
        )
        var codes: [MoQError.Code?] = []
        for filter in [.nextGroup, .absoluteStart(Location(group: 2, object: 9)), .unfiltered] as [SubscriptionFilter] {
            subscription.update(filter: filter) { codes.append($0.failure?.code) }
        }
        subscription.update(newGroupRequest: 9) { codes.append($0.failure?.code) }
        #expect(codes == [.notExpressible, .notExpressible, .notExpressible, .notExpressible])
        // The peer wants every id in its turn.
        subscription.update(priority: 1)
        harness.run()
        #expect(harness.publisher.isOpen)
    }

    @Test("The publisher does what is new in an update, and says nothing")
    func applied() throws {
        let delegate = RecordingDelegate()
        let (harness, publisher) = try self.serving(delegate: delegate)
        let count = harness.peer.messages.count
        try self.update(harness, forward: false)
        #expect(delegate.forwards == [false])
        #expect(delegate.updates.isEmpty, "nothing but the forward state has changed")
        #expect(!publisher.forward)
        try self.update(harness, number: 2, priority: 5, forward: true, .absoluteStart(Location(group: 6, object: 0)))
        #expect(delegate.forwards == [false, true])
        #expect(delegate.updates.count == 1)
        #expect(publisher.subscriberPriority == 5)
        publisher.send(group: 5, [[1]])
        publisher.send(group: 6, [[2]])
        harness.run()
        #expect(publisher.streamCount == 1)
        #expect(harness.peer.messages.count == count)
        #expect(harness.session.isOpen)
    }

    @Test(
        "An update that widens the subscription closes the session",
        arguments: [
            .absoluteStart(Location(group: 4, object: 2)),
            .absoluteRange(start: Location(group: 3, object: 0), endGroup: 9),
            .absoluteRange(start: Location(group: 7, object: 0), endGroup: 6),
        ] as [SubscriptionFilter]
    )
    func widened(filter: SubscriptionFilter) throws {
        let (harness, _) = try self.serving(.nextObject)
        // What begins where the answer said that it does is no change.
        try self.update(harness, .absoluteStart(Location(group: 4, object: 3)))
        #expect(harness.session.isOpen)
        guard case .absoluteRange(let start, let end) = filter, end < start.group else {
            try self.update(harness, number: 2, filter)
            #expect(harness.handler.closures.map(\.code) == [.protocolViolation])
            return
        }
        // Our encoder does not write such a one.
        try harness.peer.sendControl(raw: [0x02, 0, 8, 4, 0, 7, 0, 7, 128, 1, 0])
        harness.run()
        #expect(harness.handler.closures.map(\.code) == [.protocolViolation])
    }

    @Test("The end of a range cannot be taken back nor put off")
    func end() throws {
        for (filter, isFine) in [
            (SubscriptionFilter.absoluteRange(start: Location(group: 0, object: 0), endGroup: 9), true),
            (.absoluteRange(start: Location(group: 0, object: 0), endGroup: 7), true),
            (.absoluteRange(start: Location(group: 0, object: 0), endGroup: 10), false),
            (.absoluteStart(Location(group: 0, object: 0)), false),
        ] {
            let (harness, _) = try self.serving(.absoluteRange(start: Location(group: 0, object: 0), endGroup: 9))
            try self.update(harness, filter)
            #expect(harness.session.isOpen == isFine)
        }
    }

    @Test("A range that ends in the past ends the subscription")
    func past() throws {
        let (harness, publisher) = try self.serving()
        publisher.send(group: 9, [[1]])
        harness.run()
        try self.update(harness, .absoluteRange(start: Location(group: 0, object: 0), endGroup: 3))
        #expect(publisher.isEnded)
        let statuses = harness.peer.messages.compactMap { message in
            if case .publishDone(let done) = message { done.status } else { nil }
        }
        #expect(statuses == [.subscriptionEnded])
    }

    @Test("An update of what is no subscription, or never was, closes the session")
    func unknown() throws {
        for existing in [RequestID(40), RequestID(2), RequestID(1)] {
            let (harness, _) = try self.serving()
            let announcement = PublishNamespace(requestID: harness.peerID(1), namespace: NamespaceTests.space)
            try harness.peer.request(.publishNamespace(announcement))
            try self.update(harness, number: 2, of: existing)
            #expect(harness.handler.closures.map(\.code) == [.protocolViolation])
        }
    }

    @Test("An update that crosses the end of the subscription is passed over, and gives its id back")
    func late() throws {
        let (harness, publisher) = try self.serving()
        publisher.end()
        harness.run()
        let count = harness.peer.messages.count
        try self.update(harness)
        #expect(harness.session.isOpen)
        #expect(harness.session.counters.lateMessages == 1)
        #expect(harness.peer.messages.count == count)
    }

    @Test("Updates count as requests, and the limit rises with them")
    func limit() throws {
        var configuration = MoQSessionConfiguration()
        configuration.maxPeerRequests = 4
        let harness = Harness.established(
            Variant(profile: .draft14, subscriber: .client),
            configuration: configuration
        )
        let (subscription, publisher) = try harness.subscribe(consumer: CollectingConsumer())
        var successes = 0
        for priority in UInt8(0)..<20 {
            subscription.update(priority: priority) { successes += $0.failure == nil ? 1 : 0 }
            harness.run()
        }
        #expect(successes == 20)
        #expect(publisher.subscriberPriority == 19)
        #expect(harness.publisher.isOpen)
    }

    @Test("Updates that come before the answer wait for it")
    func held() throws {
        let harness = try RawHarness.established(.draft14, peer: .client)
        try harness.peer.request(.subscribe(Subscribe(requestID: harness.peerID(), track: Harness.track)))
        try self.update(harness, priority: 7, forward: false)
        let request = try #require(harness.handler.subscribes.first)
        let publisher = request.accept(largest: self.largest)
        #expect(publisher.subscriberPriority == 7)
        #expect(!publisher.forward)
        harness.run()
        #expect(harness.session.isOpen)
    }

    @Test("A subscription begun with PUBLISH is updated in the same way")
    func published() throws {
        let harness = self.harness()
        let accepted = Box<Subscription>()
        harness.subscriberHandler.onPublish = {
            accepted.value = $0.accept(
                forward: false,
                parameters: SubscriptionParameters(filter: .nextObject),
                consumer: CollectingConsumer()
            )
        }
        let request = PublishRequest(track: Harness.track, largestObject: self.largest)
        let publisher = harness.publisher.publish(request) { _ in }
        // The publisher goes on before it knows of the filter, which begins later than the subscriber can tell.
        let datagram = ObjectDatagram(trackAlias: publisher.trackAlias, groupID: 5, objectID: 0)
        publisher.receive(datagram, payload: Bytes([1]))
        harness.run()
        #expect(!publisher.forward)
        accepted.value?.update(forward: true)
        harness.run()
        #expect(publisher.forward)
        #expect(harness.publisher.isOpen && harness.subscriber.isOpen)
    }
}
