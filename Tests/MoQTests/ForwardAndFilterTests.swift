// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Forwarding and filters")
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
        #expect(answers.map { $0.failure?.requestError } == [.invalidRange])
        #expect(consumer.ends.map(\.status) == [.updateFailed])
        harness.expectNothingLive()
    }
}
