// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Tracks offered with PUBLISH", .timeLimit(.minutes(2)))
struct PublishedTrackTests {
    @Test("The flow is on while somebody wants it", arguments: DraftPair.all)
    func forwardToggles(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        let track = publisher.publish("live")
        let clients = [world.connect(drafts.subscriber), world.connect(drafts.subscriber)]
        world.settle()
        #expect(!track.forward)
        let first = clients[0].subscribe("live")
        world.settle()
        #expect(track.forward)
        let second = clients[1].subscribe("live")
        world.settle()
        track.send(group: 0, count: 2)
        world.settle()
        first.subscription?.cancel()
        world.settle()
        #expect(track.forward)
        second.subscription?.cancel()
        world.settle()
        #expect(!track.forward)
        #expect(track.forwardChanges == [true, false])
        #expect(track.ends.isEmpty)
        #expect(world.live.tracks == 1)
        let third = clients[0].subscribe("live")
        world.settle()
        #expect(third.answer?.largestObject == Location(group: 0, object: 1))
        #expect(track.forwardChanges == [true, false, true])
        track.send(group: 1, count: 3)
        world.settle()
        #expect(third.consumer.completeLocations.count == 3)
        #expect(second.consumer.completeLocations.count == 2)
        world.closeAll()
    }

    @Test("A subscriber with forward state 0 does not start the flow", arguments: DraftPair.all)
    func forwardZero(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let track = world.connect(drafts.publisher).publish("live")
        let subscribed = world.connect(drafts.subscriber).subscribe("live", forward: false)
        world.settle()
        #expect(subscribed.answer != nil)
        #expect(!track.forward)
        subscribed.subscription?.update(forward: true) { _ in }
        world.settle()
        #expect(track.forward)
        subscribed.subscription?.update(forward: false) { _ in }
        world.settle()
        #expect(!track.forward)
        world.closeAll()
    }

    @Test("Quick comings and goings end in the right state", arguments: DraftPair.all)
    func quickToggles(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let track = world.connect(drafts.publisher).publish("live")
        let client = world.connect(drafts.subscriber)
        world.settle()
        for _ in 0..<5 {
            let subscribed = client.subscribe("live")
            world.advance(.milliseconds(11))
            subscribed.subscription?.cancel()
            world.advance(.milliseconds(11))
        }
        world.settle()
        #expect(!track.forward)
        _ = client.subscribe("live")
        world.settle()
        #expect(track.forward)
        world.closeAll()
    }

    @Test("A publisher that permits few requests is told when it permits the next", arguments: DraftPair.all)
    func fewRequests(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        var session = MoQSessionConfiguration()
        session.maxPeerRequests = 1
        let publisher = world.connect(drafts.publisher, session: session)
        let tracks = ["one", "two", "three"].map { publisher.publish("live", $0) }
        let client = world.connect(drafts.subscriber)
        world.settle()
        let subscribed = ["one", "two", "three"].map { client.subscribe("live", $0) }
        world.settle()
        world.settle()
        #expect(subscribed.allSatisfy { $0.answer != nil })
        #expect(tracks.map(\.forward) == [true, true, true])
        for one in subscribed {
            one.subscription?.cancel()
        }
        world.settle()
        world.settle()
        #expect(tracks.map(\.forward) == [false, false, false])
        world.closeAll()
    }

    @Test("The track ends with the last of its publishers", arguments: DraftPair.all)
    func endOfLast(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let old = world.connect(drafts.publisher).publish("live")
        let subscribed = world.connect(drafts.subscriber).subscribe("live")
        world.settle()
        let open = try #require(old.open(group: 0))
        open.send(object: 0, size: 10)
        world.settle()
        let new = world.connect(drafts.publisher).publish("live")
        world.settle()
        #expect(old.forward)
        new.send(group: 1, count: 1)
        new.end()
        world.settle()
        #expect(subscribed.consumer.ends.isEmpty)
        open.send(object: 1, size: 10)
        open.finish()
        old.end()
        world.settle()
        #expect(subscribed.consumer.ends.map(\.status) == [.trackEnded])
        #expect(subscribed.consumer.ends.map(\.streamCount) == [2])
        #expect(subscribed.consumer.completeLocations == locations([(0, 0), (0, 1), (1, 0)]))
        #expect(subscribed.consumer.streamEnds == [.finished, .finished])
        #expect(world.live.tracks == 0)
        world.closeAll()
    }

    @Test("PUBLISH answers who waits for an announced publisher", arguments: DraftPair.all)
    func publishWhileWaiting(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let announcer = world.connect(drafts.publisher)
        var held: [IncomingSubscribe] = []
        announcer.onSubscribe = { held.append($0) }
        _ = announcer.announce("live")
        world.settle()
        let waiting = world.connect(drafts.subscriber).subscribe("live")
        world.settle()
        #expect(waiting.results.isEmpty)
        let track = world.connect(drafts.publisher).publish("live")
        world.settle()
        #expect(waiting.answer != nil)
        #expect(track.forward)
        #expect(held.map(\.isPending) == [true], "it may have the track, too")
        track.send(group: 0, count: 2)
        world.settle()
        #expect(waiting.consumer.completeLocations.count == 2)
        world.closeAll()
    }

    @Test("The same session offers what it is asked for: the offer counts", arguments: DraftPair.all)
    func offerCrossesSubscribe(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        var held: [IncomingSubscribe] = []
        publisher.onSubscribe = { held.append($0) }
        _ = publisher.announce("live")
        world.settle()
        let waiting = world.connect(drafts.subscriber).subscribe("live")
        world.settle()
        #expect(held.count == 1)
        held[0].reject(.doesNotExist, reason: "the offer is on its way")
        let track = publisher.publish("live")
        world.settle()
        let again = waiting.answer == nil ? world.connect(drafts.subscriber).subscribe("live") : waiting
        world.settle()
        #expect(again.answer != nil)
        track.send(group: 0, count: 2)
        world.settle()
        #expect(again.consumer.completeLocations.count == 2)
        #expect(world.live.upstreams == 1)
        world.closeAll()
    }

    @Test("Two publishers that offer a track are both used, and one goes on alone", arguments: DraftPair.all)
    func twoOffers(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let first = world.connect(drafts.publisher)
        let second = world.connect(drafts.publisher)
        let old = first.publish("live")
        world.settle()
        let subscribed = world.connect(drafts.subscriber).subscribe("live")
        world.settle()
        old.send(group: 0, count: 1)
        world.settle()
        let new = second.publish("live")
        world.settle()
        #expect(new.forward)
        #expect(old.forward)
        #expect(world.live.upstreams == 2)
        for track in [old, new] {
            track.send(group: 1, count: 1)
        }
        world.settle()
        second.link.sever(.idleTimeout)
        world.settle()
        #expect(old.forward)
        #expect(subscribed.consumer.ends.isEmpty)
        old.send(group: 2, count: 1)
        world.settle()
        #expect(subscribed.consumer.completeLocations.map(\.group) == [0, 1, 2])
        old.end()
        world.settle()
        #expect(subscribed.consumer.ends.map(\.status) == [.trackEnded])
        #expect(subscribed.consumer.ends.map(\.streamCount) == [3])
        world.closeAll()
    }

    @Test("An offer that is not answered in time is taken back", arguments: DraftProfile.all)
    func unanswered(_ publisherDraft: DraftProfile) throws {
        let world = RelayWorld()
        let track = world.connect(publisherDraft).publish("live")
        let follower = world.connect(.draft16)
        var kept: [IncomingPublish] = []
        var cancelled = 0
        follower.onPublish = { offer in
            offer.onCancelled = { cancelled += 1 }
            kept.append(offer)
        }
        try RawNamespaceSubscriber(client: follower).subscribe("live", interest: .tracks)
        world.advance(.seconds(9))
        #expect(kept.count == 1)
        #expect(world.relay.counters.offerTimeouts == 0)
        world.advance(.seconds(2))
        #expect(world.relay.counters.offerTimeouts == 1)
        #expect(kept.map(\.isPending) == [false])
        #expect(!follower.isClosed)
        // Its slot is free: it can subscribe.
        let subscribed = follower.subscribe("live")
        world.settle()
        #expect(subscribed.answer != nil)
        track.send(group: 0, count: 1)
        world.settle()
        #expect(subscribed.consumer.completeLocations.count == 1)
        kept = []
        world.closeAll()
    }

    @Test("Who accepts an offer after the track has ended is told of the end, and is offered the next one")
    func acceptedTooLate() throws {
        let world = RelayWorld()
        let publisher = world.connect(.draft18)
        let follower = world.connect(.draft18)
        let offers = self.followTracks(follower)
        world.settle()
        let leaving = world.connect(.draft18)
        _ = leaving.publish("live")
        world.settle()
        world.disconnect(leaving)
        #expect(world.live.tracks == 0)
        let consumer = RecordingConsumer()
        try #require(offers.pending.first).accept(forward: true, consumer: consumer)
        world.settle()
        #expect(consumer.ends.map(\.status) == [.trackEnded])
        let late = publisher.publish("live")
        world.settle()
        #expect(offers.pending.count == 2)
        try #require(offers.pending.last).accept(forward: true, consumer: consumer)
        world.settle()
        late.send(group: 0, count: 2)
        world.settle()
        #expect(consumer.completeLocations.count == 2)
        offers.pending = []
        world.closeAll()
    }

    @Test("Who accepts an offer after the track has ended gets what is published under the name by then")
    func acceptedForTheNext() throws {
        let world = RelayWorld()
        let publisher = world.connect(.draft18)
        let follower = world.connect(.draft18)
        let offers = self.followTracks(follower)
        world.settle()
        publisher.publish("live").end()
        world.settle()
        let next = publisher.publish("live")
        world.settle()
        #expect(offers.pending.count == 1)
        let consumer = RecordingConsumer()
        try #require(offers.pending.first).accept(forward: true, consumer: consumer)
        world.settle()
        #expect(next.forward)
        next.send(group: 0, count: 2)
        world.settle()
        #expect(consumer.completeLocations.count == 2)
        next.end()
        world.settle()
        #expect(consumer.ends.map(\.status) == [.trackEnded])
        offers.pending = []
        world.closeAll()
    }

    /// The offers that a client got and has not answered.
    private final class Offers {
        var pending: [IncomingPublish] = []
        var following: NamespaceSubscription?
    }

    /// Has a client ask for the tracks under "live", and keep what it is offered.
    private func followTracks(_ follower: TestClient) -> Offers {
        let offers = Offers()
        follower.onPublish = { [weak offers] in offers?.pending.append($0) }
        offers.following = follower.session.subscribeTracks(
            TrackNamespace(path: "live"),
            events: { _ in },
            response: { _ in }
        )
        return offers
    }

    @Test("A publisher that vanishes alone ends the track", arguments: DraftPair.all)
    func vanishes(_ drafts: DraftPair) {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        _ = publisher.publish("live")
        let subscribed = world.connect(drafts.subscriber).subscribe("live")
        world.settle()
        publisher.link.sever(.idleTimeout)
        world.settle()
        #expect(subscribed.consumer.ends.map(\.status) == [.internalError])
        #expect(world.live.tracks == 0)
        let again = world.connect(drafts.subscriber).subscribe("live")
        world.settle()
        #expect(again.refusal == .doesNotExist)
        world.closeAll()
    }

    @Test("Draft 16: who asks for the tracks of a namespace is offered them", arguments: DraftProfile.all)
    func namespaceInterest(_ publisherDraft: DraftProfile) throws {
        let world = RelayWorld()
        let publisher = world.connect(publisherDraft)
        let early = publisher.publish("live/a", "early")
        let other = publisher.publish("elsewhere", "other")
        world.settle()
        let follower = world.connect(.draft16)
        let received = [RecordingConsumer(), RecordingConsumer()]
        var accepted = 0
        follower.onPublish = { offer in
            offer.accept(forward: true, consumer: received[accepted])
            accepted += 1
        }
        let peer = RawNamespaceSubscriber(client: follower)
        try peer.subscribe("live", interest: .tracks)
        world.settle()
        #expect(follower.publishes.map(\.track.name) == [Array("early".utf8)])
        #expect(early.forward)
        #expect(!other.forward)
        let late = publisher.publish("live/b", "late")
        world.settle()
        #expect(follower.publishes.map(\.track.name) == [Array("early".utf8), Array("late".utf8)])
        #expect(late.forward)
        early.send(group: 0, count: 2)
        late.send(group: 3, count: 1)
        world.settle()
        #expect(received[0].completeLocations.count == 2)
        #expect(received[1].completeLocations.count == 1)
        early.end()
        world.settle()
        #expect(received[0].ends.map(\.status) == [.trackEnded])
        world.closeAll()
    }
}
