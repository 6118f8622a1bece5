// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Publishing", .timeLimit(.minutes(2)))
struct PublishTests {
    @Test("When an offer expires is told where the draft can say it, and never in the way", arguments: Variant.all)
    func expires(variant: Variant) throws {
        let harness = Harness.established(variant)
        harness.publisher.publish(PublishRequest(track: Harness.track, expires: 5_000)) { _ in }
        harness.run()
        let offer = try #require(harness.subscriberHandler.publishes.first)
        #expect(offer.request.expires == (variant.profile == .draft14 ? nil : 5_000))
    }

    /// Offers the track and lets the other side accept it.
    private func offer(
        _ harness: Harness,
        forward: Bool,
        accept: Bool,
        consumer: CollectingConsumer
    ) throws -> (TrackPublisher, Subscription) {
        let accepted = Box<Subscription>()
        harness.subscriberHandler.onPublish = { request in
            accepted.value = request.accept(forward: accept, consumer: consumer)
        }
        let publisher = harness.publisher.publish(
            PublishRequest(track: Harness.track, forward: forward, largestObject: Location(group: 1, object: 1))
        ) { _ in }
        harness.run()
        guard let subscription = accepted.value else {
            throw Missing(what: "the PUBLISH did not arrive")
        }
        return (publisher, subscription)
    }

    @Test("An accepted offer is a subscription, forwarded on demand", arguments: Variant.all)
    func accepted(variant: Variant) throws {
        let harness = Harness.established(variant)
        let consumer = CollectingConsumer()
        let (publisher, subscription) = try self.offer(harness, forward: false, accept: false, consumer: consumer)
        let delegate = RecordingDelegate()
        publisher.delegate = delegate
        #expect(subscription.state == .active)
        #expect(subscription.largestObject == Location(group: 1, object: 1))
        #expect(subscription.trackAlias == publisher.trackAlias)
        #expect(!publisher.forward)
        publisher.send(group: 2, [[1]])

        subscription.update(forward: true)
        harness.run()
        #expect(delegate.forwards == [true])
        publisher.send(group: 3, [[2]])
        publisher.end(.trackEnded, reason: "done")
        harness.run()
        #expect(consumer.contents == [Content(group: 3, id: 0, payload: [2])])
        #expect(consumer.ends == [TrackEnd(status: .trackEnded, streamCount: 1, reason: "done")])
        #expect(delegate.ends == [.finished])
        harness.expectNothingLive()
    }

    @Test("A refused offer fails the response", arguments: Variant.all)
    func rejected(variant: Variant) {
        let harness = Harness.established(variant)
        harness.subscriberHandler.onPublish = { $0.reject(reason: "no, thanks") }
        var results: [Result<PublishOkInfo, MoQError>] = []
        let publisher = harness.publisher.publish(PublishRequest(track: Harness.track)) { results.append($0) }
        harness.run()
        #expect(results.map { $0.failure?.requestError } == [.uninterested])
        #expect(publisher.isEnded)
        #expect(publisher.beginSubgroup(SubgroupDescription(group: 0)) == nil)
        harness.expectNothingLive()
    }

    @Test("What the subscriber asks for arrives with its answer", arguments: Variant.all)
    func parameters(variant: Variant) throws {
        let harness = Harness.established(variant)
        let parameters = SubscriptionParameters(
            subscriberPriority: 4,
            groupOrder: .descending,
            filter: .absoluteStart(Location(group: 7, object: 0))
        )
        harness.subscriberHandler.onPublish = {
            $0.accept(forward: true, parameters: parameters, consumer: CollectingConsumer())
        }
        var results: [Result<PublishOkInfo, MoQError>] = []
        let publisher = harness.publisher.publish(PublishRequest(track: Harness.track)) { results.append($0) }
        harness.run()
        let info = try #require(try results.first?.get())
        #expect(info.parameters.subscriberPriority == 4)
        #expect(info.forward)
        #expect(publisher.groupOrder == .descending)
        #expect(publisher.beginSubgroup(SubgroupDescription(group: 6)) == nil)
        #expect(publisher.beginSubgroup(SubgroupDescription(group: 7)) != nil)
    }

    @Test("An offer that ends at once needs no stream", arguments: Variant.all)
    func endsAtOnce(variant: Variant) throws {
        let harness = Harness.established(variant)
        let consumer = CollectingConsumer()
        let (publisher, _) = try self.offer(harness, forward: true, accept: true, consumer: consumer)
        publisher.end()
        // Datagrams could have been overtaken by the end.
        harness.run(.milliseconds(250))
        #expect(consumer.ends == [TrackEnd(status: .trackEnded, streamCount: 0)])
        harness.expectNothingLive()
    }

    @Test("An offer that is taken back before the answer is told", arguments: Variant.all)
    func takenBack(variant: Variant) throws {
        let harness = Harness.established(variant)
        var cancels = 0
        harness.subscriberHandler.onPublish = { [unowned harness] request in
            request.onCancelled = { cancels += 1 }
            harness.subscriberHandler.publishes.append(request)
        }
        var results: [Result<PublishOkInfo, MoQError>] = []
        let publisher = harness.publisher.publish(PublishRequest(track: Harness.track)) { results.append($0) }
        harness.run()
        publisher.end()
        harness.run()
        #expect(cancels == 1)
        #expect(results.count == 1)
        let request = try #require(harness.subscriberHandler.publishes.first)
        let consumer = CollectingConsumer()
        let subscription = request.accept(consumer: consumer)
        #expect(subscription.state == .ended)
        harness.run()
        #expect(consumer.ends.map(\.cause) == [.cancelledByPeer])
        #expect(harness.publisher.isOpen)
        #expect(harness.subscriber.isOpen)
        harness.expectNothingLive()
    }

    @Test("The subscriber can cancel what it accepted", arguments: Variant.all)
    func cancelled(variant: Variant) throws {
        let harness = Harness.established(variant)
        let consumer = CollectingConsumer()
        let (publisher, subscription) = try self.offer(harness, forward: true, accept: true, consumer: consumer)
        let delegate = RecordingDelegate()
        publisher.delegate = delegate
        subscription.cancel()
        harness.run()
        #expect(delegate.ends == [.cancelledByPeer])
        #expect(consumer.ends.map(\.cause) == [.cancelled])
        harness.expectNothingLive()
    }

    @Test("Accepting an offer supersedes a SUBSCRIBE that is not answered", arguments: Variant.all)
    func supersedes(variant: Variant) throws {
        let harness = Harness.established(variant)
        let first = CollectingConsumer()
        harness.subscriber.subscribe(SubscribeRequest(track: Harness.track), consumer: first) {
            first.responses.append($0)
        }
        // The offer crosses the SUBSCRIBE.
        let second = CollectingConsumer()
        let (publisher, subscription) = try self.offer(harness, forward: true, accept: true, consumer: second)
        #expect(subscription.state == .active)
        publisher.send(group: 2, [[5]])
        harness.run()
        #expect(first.responses.count == 1)
        #expect(first.responses.first?.failure != nil)
        #expect(second.contents.map(\.payload) == [[5]])
        #expect(harness.subscriber.isOpen)
        #expect(harness.publisher.isOpen)
    }

    @Test("A publisher whose session vanishes ends its subscriptions", arguments: Variant.all)
    func vanishes(variant: Variant) throws {
        let harness = Harness.established(variant)
        let consumer = CollectingConsumer()
        let (publisher, _) = try self.offer(harness, forward: true, accept: true, consumer: consumer)
        publisher.beginSubgroup(SubgroupDescription(group: 5))?.send(0, [1, 2])
        harness.run()
        harness.publisher.close()
        harness.run()
        #expect(consumer.subgroups.map(\.ends) == [[.reset(.sessionClosed)]])
        #expect(consumer.ends.map(\.cause) == [.sessionClosed])
        #expect(consumer.ends.map(\.status) == [.internalError])
        harness.expectNothingLive()
    }
}
