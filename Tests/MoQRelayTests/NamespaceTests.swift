// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Namespaces", .timeLimit(.minutes(2)))
struct NamespaceTests {
    private static func namespaces(_ paths: String...) -> Set<TrackNamespace> {
        Set(paths.map { TrackNamespace(path: $0) })
    }

    private static func space(_ path: String) -> TrackNamespace {
        TrackNamespace(path: path)
    }

    @Test(
        "A follower hears of what is there, of what comes and of what goes",
        arguments: DraftPair.all.filter { $0.subscriber.hasNamespaceReports }
    )
    func existingAndNew(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        let one = publisher.announce("a/b/one")
        _ = publisher.announce("a/c")
        _ = publisher.announce("x")
        let follower = world.connect(drafts.subscriber)
        let raw = RawNamespaceSubscriber(client: follower)
        try raw.subscribe("a/b")
        world.settle()
        #expect(raw.isAccepted)
        #expect(raw.published == [TrackNamespace(path: "one")])
        let exact = publisher.announce("a/b")
        world.settle()
        #expect(exact.isAccepted)
        _ = world.connect(drafts.publisher).announce("a/b/two/deep")
        world.settle()
        #expect(Set(raw.published) == Self.namespaces("one", "", "two/deep"))
        one.publication?.withdraw()
        world.settle()
        #expect(raw.withdrawn == [TrackNamespace(path: "one")])
        #expect(world.live.namespaces == 4)
        world.closeAll()
    }

    @Test(
        "The empty prefix follows everything, one's own announcements included",
        arguments: [DraftProfile.draft18, .draft16]
    )
    func everything(_ draft: DraftProfile) throws {
        let world = RelayWorld()
        let client = world.connect(draft)
        _ = client.announce("mine")
        _ = world.connect(draft).announce("theirs/too")
        world.settle()
        let followed = client.follow("")
        world.settle()
        #expect(followed.isAccepted)
        #expect(followed.events.count == 2)
        #expect(followed.events.contains(.published(TrackNamespace(path: "mine"))))
        #expect(followed.events.contains(.published(TrackNamespace(path: "theirs/too"))))
        world.closeAll()
    }

    @Test("A namespace with two publishers is gone when both are", arguments: DraftPair.all)
    func twoPublishers(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let followed = world.connect(drafts.subscriber).follow("shared")
        let publishers = [world.connect(drafts.publisher), world.connect(drafts.publisher)]
        let announced = publishers.map { $0.announce("shared") }
        world.settle()
        let namespace = TrackNamespace(path: "shared")
        #expect(followed.events == [.published(namespace)])
        announced[1].publication?.withdraw()
        world.settle()
        #expect(followed.events == [.published(namespace)])
        publishers[0].link.sever(.idleTimeout)
        world.settle()
        #expect(followed.events == [.published(namespace), .withdrawn(namespace)])
        world.closeAll()
    }

    @Test("All publishers of a namespace are asked; one that withdraws is not asked any more", arguments: DraftPair.all)
    func allAreAsked(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let old = world.connect(drafts.publisher)
        let new = world.connect(drafts.publisher)
        let announced = old.announce("shared")
        world.settle()
        let newer = new.announce("shared")
        world.settle()
        #expect(announced.isAccepted)
        #expect(newer.isAccepted)
        let subscriber = world.connect(drafts.subscriber)
        let first = subscriber.subscribe("shared", "one")
        world.settle()
        #expect(first.answer != nil)
        #expect(old.subscribes.count == 1)
        #expect(new.subscribes.count == 1)
        newer.publication?.withdraw()
        world.settle()
        let second = subscriber.subscribe("shared", "two")
        world.settle()
        #expect(second.answer != nil)
        #expect(old.subscribes.count == 2)
        #expect(new.subscribes.count == 1)
        // What stands is not disturbed by the withdrawal.
        try #require(new.tracks.first).send(group: 0, count: 1)
        world.settle()
        #expect(first.consumer.completeLocations.count == 1)
        world.closeAll()
    }

    @Test("The publishers of all announced prefixes are asked, and no others", arguments: DraftPair.all)
    func prefixes(_ drafts: DraftPair) {
        let world = RelayWorld()
        let near = world.connect(drafts.publisher)
        let far = world.connect(drafts.publisher)
        _ = near.announce("a/b")
        world.settle()
        _ = far.announce("a")
        world.settle()
        let subscriber = world.connect(drafts.subscriber)
        let deep = subscriber.subscribe("a/b/c")
        let shallow = subscriber.subscribe("a/x")
        let none = subscriber.subscribe("ab")
        world.settle()
        #expect(deep.answer != nil)
        #expect(shallow.answer != nil)
        #expect(none.refusal == .doesNotExist)
        #expect(near.subscribes.map(\.track.namespace) == [TrackNamespace(path: "a/b/c")])
        #expect(far.subscribes.map(\.track.namespace) == [TrackNamespace(path: "a/b/c"), TrackNamespace(path: "a/x")])
        world.closeAll()
    }

    @Test("A publisher that is about to leave is not asked", arguments: DraftPair.all)
    func leavingPublisher(_ drafts: DraftPair) {
        let world = RelayWorld()
        let leaving = world.connect(drafts.publisher)
        let staying = world.connect(drafts.publisher)
        _ = staying.announce("shared")
        world.settle()
        _ = leaving.announce("shared")
        world.settle()
        leaving.session.sendGoaway(newSessionURI: nil, timeout: nil)
        world.settle()
        let subscribed = world.connect(drafts.subscriber).subscribe("shared")
        world.settle()
        #expect(subscribed.answer != nil)
        #expect(leaving.subscribes.isEmpty)
        #expect(staying.subscribes.count == 1)
        world.closeAll()
    }

    @Test(
        "Overlapping prefixes of one session are refused, others are not",
        arguments: [DraftProfile.draft18, .draft16]
    )
    func overlap(_ draft: DraftProfile) throws {
        let world = RelayWorld()
        let client = world.connect(draft)
        let raws = (0..<5).map { _ in RawNamespaceSubscriber(client: client) }
        for (index, path) in ["a/b", "a/b/c", "a", "a/b", "a/x"].enumerated() {
            try raws[index].subscribe(path, number: UInt64(index))
            world.settle()
        }
        #expect(raws.map(\.isAccepted) == [true, false, false, false, true])
        #expect(raws.map(\.refusal) == [nil, .prefixOverlap, .prefixOverlap, .prefixOverlap, nil])
        let other = RawNamespaceSubscriber(client: world.connect(draft))
        try other.subscribe("a/b")
        world.settle()
        #expect(other.isAccepted)
        #expect(world.live.namespaceSubscriptions == 3)
        #expect(!client.isClosed)
        // Once it is cancelled, its prefix is free again.
        try raws[0].cancel()
        world.settle()
        let again = RawNamespaceSubscriber(client: client)
        try again.subscribe("a/b/c", number: 5)
        world.settle()
        #expect(again.isAccepted)
        world.closeAll()
    }

    @Test(
        "Who follows another prefix hears of what is there and comes, and no more of the old",
        arguments: DraftProfile.all
    )
    func moves(_ draft: DraftProfile) throws {
        let world = RelayWorld()
        let publisher = world.connect(draft)
        let announced = ["a/one", "a/b/one", "c/one"].map { publisher.announce($0) }
        world.settle()
        let followed = world.connect(.draft18).follow("a")
        world.settle()
        #expect(Set(followed.events) == [.published(Self.space("a/one")), .published(Self.space("a/b/one"))])
        var moves: [RequestErrorCode?] = []
        func move(to path: String) {
            followed.subscription?.update(prefix: TrackNamespace(path: path)) { result in
                if case .failure(let error) = result {
                    moves.append(error.requestError)
                } else {
                    moves.append(nil)
                }
            }
            world.settle()
        }
        move(to: "a/b")
        #expect(followed.events.dropFirst(2) == [.withdrawn(Self.space("a/one"))])
        move(to: "c")
        #expect(followed.events.dropFirst(3) == [.withdrawn(Self.space("a/b/one")), .published(Self.space("c/one"))])
        announced[1].publication?.withdraw()
        _ = publisher.announce("a/two")
        _ = publisher.announce("c/two")
        world.settle()
        announced[2].publication?.withdraw()
        world.settle()
        #expect(followed.events.dropFirst(5) == [.published(Self.space("c/two")), .withdrawn(Self.space("c/one"))])
        #expect(world.live.namespaceSubscriptions == 1)
        move(to: ".session")
        #expect(moves == [nil, nil, .doesNotExist])
        #expect(world.live.namespaceSubscriptions == 0)
        #expect(followed.events.count == 8)
        world.closeAll()
    }

    @Test("A move to a prefix that overlaps with another one of the session is refused, and ends the request")
    func movesIntoOverlap() throws {
        let world = RelayWorld()
        let client = world.connect(.draft18)
        let raws = (0..<2).map { _ in RawNamespaceSubscriber(client: client) }
        for (index, path) in ["a", "b"].enumerated() {
            try raws[index].subscribe(path, number: UInt64(index))
        }
        world.settle()
        try raws[1].move(to: "a/c", number: 2)
        world.settle()
        guard case .requestError(let error) = raws[1].answers.last else {
            Issue.record("\(raws[1].answers)")
            return
        }
        #expect(error.code == .prefixOverlap)
        #expect(raws[1].isFinished && !raws[0].isFinished)
        #expect(world.live.namespaceSubscriptions == 1)
        world.closeAll()
    }

    @Test("Who follows the tracks of another prefix is offered those, and keeps what it has")
    func movesTracks() throws {
        let world = RelayWorld()
        let publisher = world.connect(.draft18)
        let old = publisher.publish("a")
        _ = publisher.publish("b")
        let viewer = world.connect(.draft18)
        let consumer = RecordingConsumer()
        viewer.onPublish = { $0.accept(forward: true, consumer: consumer) }
        let subscription = viewer.session.subscribeTracks(
            TrackNamespace(path: "a"),
            events: { _ in },
            response: { _ in }
        )
        world.settle()
        subscription.update(prefix: TrackNamespace(path: "b"))
        world.settle()
        _ = publisher.publish("a", "late")
        _ = publisher.publish("b", "late")
        old.send(group: 0, count: 2)
        world.settle()
        #expect(viewer.publishes.map(\.track.namespace.description) == ["a", "b", "b"])
        #expect(consumer.completeLocations.count == 2)
        #expect(consumer.ends.isEmpty)
        world.closeAll()
    }

    @Test("After a cancellation nothing more is said", arguments: DraftPair.all)
    func cancel(_ drafts: DraftPair) {
        let world = RelayWorld()
        let follower = world.connect(drafts.subscriber)
        let followed = follower.follow("a")
        world.settle()
        followed.subscription?.cancel()
        world.settle()
        #expect(world.live.namespaceSubscriptions == 0)
        let count = followed.events.count
        _ = world.connect(drafts.publisher).announce("a/b")
        world.settle()
        #expect(followed.events.count == count)
        #expect(!follower.isClosed)
        world.closeAll()
    }

    @Test("The namespaces of a dot and of a session exist for nobody", arguments: DraftProfile.all, [".", ".session"])
    func reserved(_ draft: DraftProfile, path: String) {
        let world = RelayWorld()
        let client = world.connect(draft)
        let announced = client.announce("\(path)/x")
        let offered = client.publish(path)
        let subscribed = client.subscribe("\(path)/x")
        let followed = client.follow(path)
        world.settle()
        #expect(!announced.isAccepted)
        #expect(announced.results.count == 1)
        #expect(offered.results.count == 1)
        #expect(subscribed.refusal == .doesNotExist)
        #expect(followed.refusal == .doesNotExist)
        #expect(world.live.namespaces == 0)
        #expect(world.live.tracks == 0)
        world.closeAll()
    }
}
