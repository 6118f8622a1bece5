// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("The end of subscriptions", .timeLimit(.minutes(2)))
struct TeardownTests {
    @Test("The last subscriber takes the upstream subscription along, and not before", arguments: DraftPair.all)
    func lastLeaver(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        _ = publisher.announce("live")
        world.settle()
        let clients = [world.connect(drafts.subscriber), world.connect(drafts.subscriber)]
        let subscribed = clients.map { $0.subscribe("live") }
        world.settle()
        let track = try #require(publisher.tracks.first)
        track.send(group: 0, count: 1)
        let open = try #require(track.open(group: 1))
        open.send(object: 0, size: 10)
        world.settle()

        subscribed[0].subscription?.cancel()
        world.settle()
        #expect(track.ends.isEmpty)
        #expect(world.live.subscribers == 1)
        open.send(object: 1, size: 10)
        world.settle()
        #expect(subscribed[1].consumer.completeLocations.count == 3)

        subscribed[1].subscription?.cancel()
        world.settle()
        #expect(track.ends == [.cancelledByPeer])
        #expect(world.live.tracks == 0)
        #expect(world.live.upstreams == 0)
        #expect(world.live.subgroups == 0)
        #expect(!publisher.isClosed)

        // The next one gets a fresh upstream.
        let again = clients[0].subscribe("live")
        world.settle()
        #expect(again.answer != nil)
        #expect(publisher.tracks.count == 2)
        publisher.tracks[1].send(group: 2, count: 2)
        world.settle()
        #expect(again.consumer.completeLocations.count == 2)
        world.closeAll()
    }

    @Test(
        "One goes and another comes soon after, over links that lose packets",
        arguments: DraftPair.all,
        [0, 1, 4, 20]
    )
    func changingPlaces(_ drafts: DraftPair, milliseconds: Int) throws {
        for seed in 1...8 as ClosedRange<UInt64> {
            var link = InMemoryLinkConfiguration()
            link.loss = 0.2
            link.seed = seed
            let world = RelayWorld()
            let publisher = world.connect(drafts.publisher, link: link)
            _ = publisher.announce("live")
            let clients = [world.connect(drafts.subscriber), world.connect(drafts.subscriber)]
            world.advance(.seconds(2))
            var current = clients[0].subscribe("live")
            world.advance(.seconds(2))
            for round in 1...6 {
                #expect(current.answer != nil, "round \(round), seed \(seed)")
                current.subscription?.cancel()
                world.advance(.milliseconds(milliseconds))
                current = clients[round % 2].subscribe("live")
                world.advance(.seconds(2))
            }
            try #require(publisher.tracks.last).send(group: 9, count: 3)
            world.advance(.seconds(2))
            #expect(current.consumer.completeLocations.count == 3)
            #expect(world.live.upstreams == 1)
            world.closeAll()
        }
    }

    @Test("A subscriber whose session ends counts as gone", arguments: DraftPair.all)
    func subscriberVanishes(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        _ = publisher.announce("live")
        world.settle()
        let subscriber = world.connect(drafts.subscriber)
        _ = subscriber.subscribe("live")
        world.settle()
        let track = try #require(publisher.tracks.first)
        _ = try #require(track.open(group: 1)).send(object: 0, size: 10)
        world.settle()
        subscriber.link.sever(.idleTimeout)
        world.settle()
        #expect(track.ends == [.cancelledByPeer])
        #expect(world.live.tracks == 0)
        world.closeAll()
    }

    @Test("Each subscriber is told the number of its own streams", arguments: DraftPair.all)
    func streamCounts(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        _ = publisher.announce("live")
        world.settle()
        let all = world.connect(drafts.subscriber).subscribe("live")
        let late = world.connect(drafts.subscriber)
        world.settle()
        let track = try #require(publisher.tracks.first)
        track.send(group: 0, count: 1)
        track.send(group: 1, count: 1)
        world.settle()
        let some = late.subscribe("live", filter: .nextGroup)
        let none = world.connect(drafts.subscriber).subscribe(
            "live",
            filter: .absoluteStart(Location(group: 9, object: 0))
        )
        world.settle()
        track.send(group: 2, count: 1)
        track.end()
        world.settle()
        #expect(all.consumer.ends.map(\.streamCount) == [3])
        #expect(some.consumer.ends.map(\.streamCount) == [1])
        #expect(none.consumer.ends.map(\.streamCount) == [0])
        #expect(all.consumer.completeLocations.count == 3)
        #expect(some.consumer.completeLocations.count == 1)
        for one in [all, some, none] {
            #expect(one.consumer.ends.map(\.status) == [.trackEnded])
        }
        world.closeAll()
    }

    @Test(
        "The publisher's status is passed on when it is about the track",
        arguments: [
            (PublishDoneStatus.trackEnded, PublishDoneStatus.trackEnded), (.malformedTrack, .malformedTrack),
            (.goingAway, .goingAway), (.tooFarBehind, .internalError), (.expired, .internalError),
            (.unauthorized, .internalError), (.internalError, .internalError),
        ]
    )
    func statuses(_ sent: PublishDoneStatus, _ expected: PublishDoneStatus) throws {
        let world = RelayWorld()
        let publisher = world.connect(.draft18)
        _ = publisher.announce("live")
        world.settle()
        let subscribed = world.connect(.draft16).subscribe("live")
        world.settle()
        try #require(publisher.tracks.first).end(sent)
        world.settle()
        #expect(subscribed.consumer.ends.map(\.status) == [expected])
        #expect(world.live.tracks == 0)
        world.closeAll()
    }

    @Test("A publisher that vanishes ends its tracks and namespaces, and may come back", arguments: DraftPair.all)
    func publisherVanishes(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        _ = publisher.announce("live")
        let subscriber = world.connect(drafts.subscriber)
        let followed = subscriber.follow("live")
        world.settle()
        let subscribed = subscriber.subscribe("live")
        world.settle()
        let stream = try #require(publisher.tracks.first?.open(group: 0))
        stream.send(object: 0, size: 10)
        stream.beginObject(ObjectHeader(objectID: 1, payloadLength: 100))
        stream.receive(payload: Bytes([1, 2, 3]))
        world.settle()

        publisher.link.sever(.idleTimeout)
        world.settle()
        #expect(subscribed.consumer.ends.map(\.status) == [.internalError])
        #expect(subscribed.consumer.ends.map(\.cause) == [.publishDone])
        #expect(subscribed.consumer.ends.map(\.streamCount) == [1])
        let namespace = TrackNamespace(path: "live")
        #expect(followed.events == [.published(namespace), .withdrawn(namespace)])
        #expect(!subscriber.isClosed)
        #expect(world.live.tracks == 0)
        #expect(world.live.namespaces == 0)
        #expect(subscriber.subscribe("live").results.isEmpty)
        world.settle()

        let successor = world.connect(drafts.publisher)
        _ = successor.announce("live")
        world.settle()
        #expect(followed.events.last == .published(namespace))
        let again = subscriber.subscribe("live")
        world.settle()
        #expect(again.answer != nil)
        try #require(successor.tracks.first).send(group: 0, count: 4)
        world.settle()
        #expect(again.consumer.completeLocations.count == 4)
        world.closeAll()
    }

    @Test("A publisher that vanishes before it answered fails who waits", arguments: DraftPair.all)
    func vanishesWhilePending(_ drafts: DraftPair) {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        var held: [IncomingSubscribe] = []
        publisher.onSubscribe = { held.append($0) }
        _ = publisher.announce("live")
        world.settle()
        let waiting = [
            world.connect(drafts.subscriber).subscribe("live"), world.connect(drafts.subscriber).subscribe("live"),
        ]
        world.settle()
        #expect(held.count == 1)
        #expect(world.live.pendingSubscribers == 2)
        publisher.link.sever(.idleTimeout)
        world.settle()
        #expect(waiting.allSatisfy { $0.refusal == .internalError })
        #expect(world.live.tracks == 0)
        world.closeAll()
    }

    @Test("A publisher that never answers costs the subscriber a timeout", arguments: DraftPair.all)
    func upstreamTimeout(_ drafts: DraftPair) {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        var held: [IncomingSubscribe] = []
        publisher.onSubscribe = { held.append($0) }
        _ = publisher.announce("live")
        world.settle()
        let waiting = world.connect(drafts.subscriber).subscribe("live")
        world.advance(.seconds(9))
        #expect(waiting.results.isEmpty)
        world.advance(.seconds(2))
        #expect(waiting.refusal == .timeout)
        #expect(held.map(\.isPending) == [false])
        #expect(world.live.tracks == 0)
        #expect(world.relay.counters.upstreamTimeouts == 1)
        world.closeAll()
    }

    @Test("Who gives up waiting is forgotten, and the last one cancels upstream", arguments: DraftPair.all)
    func cancelWhilePending(_ drafts: DraftPair) {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        var held: [IncomingSubscribe] = []
        publisher.onSubscribe = { held.append($0) }
        _ = publisher.announce("live")
        world.settle()
        let first = world.connect(drafts.subscriber).subscribe("live")
        let second = world.connect(drafts.subscriber).subscribe("live")
        world.settle()
        first.subscription?.cancel()
        world.settle()
        #expect(world.live.pendingSubscribers == 1)
        #expect(held.map(\.isPending) == [true])
        second.subscription?.cancel()
        world.settle()
        #expect(held.map(\.isPending) == [false])
        #expect(world.live.pendingSubscribers == 0)
        #expect(world.live.tracks == 0)
        #expect(world.live.upstreams == 0)
        world.closeAll()
    }
}
