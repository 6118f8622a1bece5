// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Forwarding and filters", .timeLimit(.minutes(2)))
struct ForwardAndFilterTests {
    @Test("Nothing flows with FORWARD 0, and everything from the next subgroup on with 1", arguments: Variant.all)
    func forward(variant: Variant) throws {
        let harness = Harness.established(variant)
        let consumer = CollectingConsumer()
        let (subscription, publisher) = try harness.subscribe(
            parameters: SubscriptionParameters(forward: false),
            consumer: consumer
        )
        let delegate = RecordingDelegate()
        publisher.delegate = delegate
        #expect(!publisher.forward)
        publisher.send(group: 0, [[1]])
        publisher.receive(ObjectDatagram(trackAlias: TrackAlias(0), groupID: 0, objectID: 1), payload: [1])
        #expect(harness.publisher.counters.subgroupsNotForwarded == 1)
        #expect(harness.publisher.counters.objectsNotForwarded == 1)

        var answers: [Result<RequestOk, MoQError>] = []
        subscription.update(forward: true) { answers.append($0) }
        harness.run()
        #expect(answers.count == 1)
        #expect(answers.first?.failure == nil)
        #expect(delegate.forwards == [true])
        #expect(publisher.forward)
        let open = try #require(publisher.beginSubgroup(SubgroupDescription(group: 1)))
        open.send(0, [2])
        harness.run()

        subscription.update(forward: false)
        harness.run()
        #expect(delegate.forwards == [true, false])
        open.send(1, [3])
        open.finish()
        publisher.end()
        harness.run()
        #expect(consumer.contents == [Content(group: 1, id: 0, payload: [2])])
        #expect(consumer.subgroups.map(\.ends) == [[.reset(.cancelled)]])
        #expect(consumer.ends == [TrackEnd(status: .trackEnded, streamCount: 1)])
        harness.expectNothingLive()
    }

    @Test("A change of priority is applied and told", arguments: Variant.all)
    func priority(variant: Variant) throws {
        let harness = Harness.established(variant)
        let (subscription, publisher) = try harness.subscribe(consumer: CollectingConsumer())
        let delegate = RecordingDelegate()
        publisher.delegate = delegate
        let subgroup = publisher.beginSubgroup(SubgroupDescription(group: 0))
        subgroup?.send(0, [1])
        subscription.update(priority: 9)
        harness.run()
        #expect(publisher.subscriberPriority == 9)
        #expect(delegate.updates.map(\.subscriberPriority) == [9])
        #expect(delegate.forwards.isEmpty)
    }

    @Test("An update of a subscription that is not active fails at once", arguments: Variant.all)
    func updateTooEarly(variant: Variant) {
        let harness = Harness.established(variant)
        let subscription = harness.subscriber.subscribe(
            SubscribeRequest(track: Harness.track),
            consumer: CollectingConsumer()
        ) { _ in }
        var codes: [MoQError.Code?] = []
        subscription.update(forward: true) { codes.append($0.failure?.code) }
        #expect(codes == [.invalidState])
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var filter: SubscriptionFilter
        var largest: Location?
        var expected: [String]

        var testDescription: String {
            "\(self.filter)"
        }
    }

    /// Groups 0 to 4 of three objects each go in.
    static let cases: [Case] = [
        Case(
            filter: .nextGroup,
            largest: Location(group: 2, object: 1),
            expected: ["3/0", "3/1", "3/2", "4/0", "4/1", "4/2"]
        ),
        Case(
            filter: .nextObject,
            largest: Location(group: 3, object: 1),
            expected: ["3/2", "4/0", "4/1", "4/2"]
        ),
        Case(
            filter: .absoluteStart(Location(group: 4, object: 1)),
            largest: nil,
            expected: ["4/1", "4/2"]
        ),
        Case(
            filter: .absoluteRange(start: Location(group: 1, object: 2), endGroup: 2),
            largest: nil,
            expected: ["1/2", "2/0", "2/1", "2/2"]
        ),
    ]

    @Test("Filters decide on the publisher's side", arguments: DraftProfile.all, Self.cases)
    func filter(profile: DraftProfile, test: Case) throws {
        let harness = Harness.established(Variant(profile: profile, subscriber: .client))
        let consumer = CollectingConsumer()
        let (_, publisher) = try harness.subscribe(
            parameters: SubscriptionParameters(filter: test.filter),
            largest: test.largest,
            consumer: consumer
        )
        let delegate = RecordingDelegate()
        publisher.delegate = delegate
        for group in UInt64(0)..<5 {
            publisher.send(group: group, [[0], [1], [2]])
        }
        harness.run()
        #expect(consumer.contents.map { "\($0.group)/\($0.id)" } == test.expected)
        #expect(consumer.subgroups.allSatisfy { $0.ends == [.finished] })
        if case .absoluteRange = test.filter {
            #expect(
                consumer.ends == [
                    TrackEnd(
                        status: .subscriptionEnded,
                        streamCount: 2,
                        reason: "the end of the range was reached"
                    )
                ]
            )
            #expect(delegate.ends == [.rangeEnded])
            #expect(publisher.isEnded)
        } else {
            #expect(consumer.ends.isEmpty)
        }
    }

    @Test("Datagrams are filtered, too", arguments: DraftProfile.all)
    func filterDatagrams(profile: DraftProfile) throws {
        let harness = Harness.established(Variant(profile: profile, subscriber: .client))
        let consumer = CollectingConsumer()
        let filter = SubscriptionFilter.absoluteStart(Location(group: 1, object: 1))
        let (_, publisher) = try harness.subscribe(
            parameters: SubscriptionParameters(filter: filter),
            consumer: consumer
        )
        for object in UInt64(0)..<3 {
            let header = ObjectDatagram(trackAlias: TrackAlias(0), groupID: 1, objectID: object)
            publisher.receive(header, payload: [UInt8(object)])
        }
        harness.run()
        #expect(consumer.datagrams.map(\.payload) == [[1], [2]])
        #expect(harness.publisher.counters.objectsFiltered == 1)
    }

    @Test("An update that leaves out a group whose subgroup is open resets it, and no other", arguments: Variant.all)
    func updateLeavesOut(variant: Variant) throws {
        let harness = Harness.established(variant)
        let consumer = CollectingConsumer()
        let (subscription, publisher) = try harness.subscribe(
            parameters: SubscriptionParameters(filter: .absoluteStart(Location(group: 1, object: 0))),
            consumer: consumer
        )
        let open = try (1..<4 as Range<UInt64>).map {
            try #require(publisher.beginSubgroup(SubgroupDescription(group: $0)))
        }
        for stream in open {
            stream.send(0, [1])
        }
        harness.run()
        subscription.update(filter: .absoluteStart(Location(group: 2, object: 0)))
        harness.run()
        for stream in open {
            stream.send(1, [2])
            stream.finish()
        }
        harness.run()
        let expected: [[CollectingConsumer.End]] = [[.reset(.cancelled)], [.finished], [.finished]]
        #expect(consumer.subgroups.map(\.ends) == expected)
        #expect(consumer.contents.map { "\($0.group)/\($0.id)" } == ["1/0", "2/0", "2/1", "3/0", "3/1"])
        publisher.end()
        harness.run()
        harness.expectNothingLive()
    }

    @Test("After an update to a start inside the open group a publisher's stream goes on there", arguments: Variant.all)
    func updateStartsInside(variant: Variant) throws {
        let harness = Harness.established(variant)
        let consumer = CollectingConsumer()
        let (subscription, publisher) = try harness.subscribe(consumer: consumer)
        let stream = try #require(publisher.beginSubgroup(SubgroupDescription(group: 0)))
        stream.send(0, [1])
        harness.run()
        subscription.update(filter: .absoluteStart(Location(group: 0, object: 3)))
        harness.run()
        for object in 1..<5 as Range<UInt64> {
            stream.send(object, [2])
        }
        stream.finish()
        harness.run()
        #expect(consumer.contents.map(\.id) == [0, 3, 4])
        publisher.end()
        harness.run()
        harness.expectNothingLive()
    }

    @Test("An update to a range in the past ends the subscription with UPDATE_FAILED", arguments: Variant.all)
    func updateFails(variant: Variant) throws {
        let harness = Harness.established(variant)
        let consumer = CollectingConsumer()
        let (subscription, publisher) = try harness.subscribe(consumer: consumer)
        publisher.send(group: 9, [[1]])
        harness.run()
        var answers: [Result<RequestOk, MoQError>] = []
        let filter = SubscriptionFilter.absoluteRange(start: Location(group: 1, object: 0), endGroup: 2)
        subscription.update(filter: filter) { answers.append($0) }
        harness.run()
        if variant.profile == .draft14 {
            // There is no answer, and a range that lies in the past has simply come to its end.
            #expect(answers.map { $0.failure == nil } == [true])
            #expect(consumer.ends.map(\.status) == [.subscriptionEnded])
        } else {
            #expect(answers.map { $0.failure?.requestError } == [.invalidRange])
            #expect(consumer.ends.map(\.status) == [.updateFailed])
        }
        harness.expectNothingLive()
    }
}

@Suite("Priorities", .timeLimit(.minutes(2)))
struct PriorityTests {
    /// A link so slow that what is sent first arrives first.
    private static func harness(_ profile: DraftProfile) -> Harness {
        var link = InMemoryLinkConfiguration()
        link.bytesPerSecond = 1_000_000
        link.congestionWindow = 20_000
        return Harness.established(Variant(profile: profile, subscriber: .client), link: link)
    }

    @Test("Groups arrive in the order the subscriber asked for", arguments: DraftProfile.all)
    func groupOrder(profile: DraftProfile) throws {
        for (order, expected) in [
            (GroupOrder.ascending, [UInt64(0), 1, 2, 3]), (.descending, [3, 2, 1, 0]),
        ] {
            let harness = Self.harness(profile)
            let consumer = CollectingConsumer()
            let (_, publisher) = try harness.subscribe(
                parameters: SubscriptionParameters(groupOrder: order),
                consumer: consumer
            )
            var finished: [UInt64] = []
            consumer.onSubgroupEnd = { [unowned consumer] in
                finished = consumer.subgroups.filter { !$0.ends.isEmpty }.map(\.description.group).filter {
                    !finished.contains($0)
                }.reduce(into: finished) { $0.append($1) }
            }
            for group in UInt64(0)..<4 {
                publisher.send(group: group, [pattern(60_000)])
            }
            harness.run(.seconds(5))
            #expect(finished == expected)
        }
    }

    @Test("The subscriber's priority goes before the publisher's", arguments: DraftProfile.all)
    func priorities(profile: DraftProfile) throws {
        let harness = Self.harness(profile)
        var finished: [String] = []
        var publishers: [TrackPublisher] = []
        harness.publisherHandler.onSubscribe = { publishers.append($0.accept()) }
        var consumers: [CollectingConsumer] = []
        for (name, priority) in [("low", UInt8(200)), ("high", 10)] {
            let consumer = CollectingConsumer()
            consumer.onSubgroupEnd = { [unowned consumer] in
                for subgroup in consumer.subgroups where !subgroup.ends.isEmpty {
                    let label = "\(name)/\(subgroup.description.publisherPriority)"
                    if !finished.contains(label) { finished.append(label) }
                }
            }
            consumers.append(consumer)
            harness.subscriber.subscribe(
                SubscribeRequest(
                    track: FullTrackName(namespace: Harness.track.namespace, name: name),
                    parameters: SubscriptionParameters(subscriberPriority: priority)
                ),
                consumer: consumer
            ) { _ in }
        }
        harness.run()
        #expect(publishers.count == 2)
        for publisher in publishers {
            for priority in [UInt8(250), 2] {
                let subgroup = publisher.beginSubgroup(
                    SubgroupDescription(group: 0, subgroup: UInt64(priority), publisherPriority: priority)
                )
                subgroup?.send(0, pattern(60_000))
                subgroup?.finish()
            }
        }
        harness.run(.seconds(5))
        #expect(finished == ["high/2", "high/250", "low/2", "low/250"])
    }
}

@Suite("Mandatory track properties", .timeLimit(.minutes(2)))
struct MandatoryPropertyTests {
    private func properties() throws -> PropertyList {
        try PropertyList([try #require(KeyValuePair(type: 0x4242, integer: 1))])
    }

    private func configuration(understood: Bool) -> MoQSessionConfiguration {
        var configuration = MoQSessionConfiguration()
        configuration.understoodMandatoryProperties = understood ? [0x4242] : []
        return configuration
    }

    @Test("A track with a property that must be understood and is not, is not taken", arguments: [true, false])
    func subscribe(understood: Bool) throws {
        let harness = Harness.established(
            Variant(profile: .draft18, subscriber: .client),
            configuration: self.configuration(understood: understood)
        )
        let consumer = CollectingConsumer()
        let (_, publisher) = try harness.subscribe(properties: try self.properties(), consumer: consumer)
        publisher.send(group: 0, [[1]])
        harness.run()
        #expect(consumer.responses.map { $0.failure?.requestError } == [understood ? nil : .unsupportedExtension])
        #expect(consumer.contents.count == (understood ? 1 : 0))
        #expect(publisher.isEnded == !understood)
    }

    @Test("An offer of such a track is refused", arguments: [true, false])
    func publish(understood: Bool) throws {
        let harness = Harness.established(
            Variant(profile: .draft18, subscriber: .client),
            configuration: self.configuration(understood: understood)
        )
        harness.subscriberHandler.onPublish = { $0.accept(consumer: CollectingConsumer()) }
        var codes: [RequestErrorCode?] = []
        harness.publisher.publish(PublishRequest(track: Harness.track, properties: try self.properties())) {
            codes.append($0.failure?.requestError)
        }
        harness.run()
        #expect(codes == [understood ? nil : .unsupportedExtension])
    }
}
