// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("A relay on draft 14", .timeLimit(.minutes(2)))
struct Draft14RelayTests {
    @Test("A follower hears of what is there, of what comes and of what goes", arguments: DraftProfile.all)
    func existingAndNew(publisher draft: DraftProfile) throws {
        let world = RelayWorld()
        let publisher = world.connect(draft)
        let one = publisher.announce("a/b/one")
        _ = publisher.announce("a/c")
        _ = publisher.announce("x")
        let followed = world.connect(.draft14).follow("a/b")
        world.settle()
        #expect(followed.isAccepted)
        #expect(followed.events == [.published(TrackNamespace(path: "a/b/one"))])
        let exact = publisher.announce("a/b")
        world.settle()
        #expect(exact.isAccepted)
        _ = world.connect(draft).announce("a/b/two/deep")
        world.settle()
        #expect(
            Set(followed.subscription?.namespaces ?? [])
                == Set(["a/b", "a/b/one", "a/b/two/deep"].map { TrackNamespace(path: $0) })
        )
        one.publication?.withdraw()
        world.settle()
        #expect(followed.events.last == .withdrawn(TrackNamespace(path: "a/b/one")))
        #expect(world.live.namespaces == 4)
        world.closeAll()
    }

    @Test("Hundreds of namespaces reach a follower, whatever it permits at a time")
    func many() {
        let world = RelayWorld()
        let publisher = world.connect(.draft14)
        let count = 300
        let announced = (0..<count).map { publisher.announce("live/\($0)") }
        world.settle()
        #expect(announced.count { $0.isAccepted } > 0)
        for _ in 0..<20 {
            world.settle()
        }
        #expect(announced.allSatisfy { $0.isAccepted })
        let followed = world.connect(.draft14).follow("live")
        for _ in 0..<20 {
            world.settle()
        }
        #expect(followed.events.count == count)
        #expect(followed.subscription?.namespaces.count == count)
        world.closeAll()
    }

    @Test("A follower is offered the tracks, too, its own included")
    func tracks() throws {
        let world = RelayWorld()
        let publisher = world.connect(.draft16)
        let first = publisher.publish("live", "first")
        world.settle()
        let client = world.connect(.draft14)
        let consumer = RecordingConsumer()
        client.onPublish = { request in
            if request.track.name == Array("first".utf8) {
                request.accept(consumer: consumer)
            } else {
                request.reject(.uninterested)
            }
        }
        let followed = client.follow("live")
        world.settle()
        #expect(followed.isAccepted)
        _ = client.publish("live", "own")
        world.settle()
        #expect(client.publishes.map(\.track.name) == [Array("first".utf8), Array("own".utf8)])
        first.send(group: 0, count: 3)
        world.settle()
        #expect(consumer.completeLocations.count == 3)
        world.closeAll()
    }

    @Test("Overlapping prefixes of one session are refused; a prefix that was given up is free again")
    func overlap() throws {
        let world = RelayWorld()
        let client = world.connect(.draft14)
        let first = client.follow("a/b")
        world.settle()
        // Our own side would not ask, so the codes come from the session itself.
        #expect(client.follow("a/b/c").results.isEmpty)
        world.settle()
        #expect(world.live.namespaceSubscriptions == 1)
        let other = world.connect(.draft14).follow("a")
        world.settle()
        #expect(other.isAccepted)
        first.subscription?.cancel()
        world.settle()
        #expect(world.live.namespaceSubscriptions == 1)
        let again = client.follow("a/b/c")
        world.settle()
        #expect(again.isAccepted)
        #expect(!client.isClosed)
        world.closeAll()
    }

    /// A track of three groups whose publisher prefers this order.
    private func scene(_ draft: DraftProfile, _ order: GroupOrder = .ascending) throws -> FetchScene {
        let pair = try #require(
            KeyValuePair(type: PropertyType.defaultPublisherGroupOrder, integer: UInt64(order.rawValue))
        )
        let scene = FetchScene(
            DraftPair(publisher: draft, subscriber: .draft14),
            properties: try PropertyList([pair], coding: draft.coding)
        )
        for group in UInt64(1)...3 {
            try scene.send(group: group, count: 2)
        }
        return scene
    }

    @Test(
        "A FETCH without an order gets that of the track",
        arguments: DraftProfile.all,
        [GroupOrder.ascending, .descending]
    )
    func fetchOrder(publisher draft: DraftProfile, order: GroupOrder) throws {
        let scene = try self.scene(draft, order)
        let fetcher = RawFetcher(scene.world)
        try fetcher.fetch(FullTrackName(namespace: TrackNamespace(path: "live"), name: "track"), groups: 1...3)
        scene.world.settle()
        let orders: [GroupOrder?] = fetcher.messages.compactMap { message in
            if case .fetchOk(let ok) = message { ok.groupOrder } else { nil }
        }
        #expect(orders == [order])
        // The type of the stream and the id of the request, then the first object with its group.
        #expect(fetcher.data.prefix(3) == [5, 0, order == .ascending ? 1 : 3])
        #expect(fetcher.data.count > 6 * 32)
        fetcher.close()
        scene.world.closeAll()
    }

    @Test("A range without objects is refused with NO_OBJECTS, known or not", arguments: DraftProfile.all)
    func noObjects(publisher draft: DraftProfile) throws {
        let scene = try self.scene(draft)
        scene.publisher.onFetch = { request in
            let publisher = request.accept(largest: Location(group: 3, object: 1))
            publisher.finish()
        }
        // That group 1 has no object 2 is known.
        let known = scene.late.fetch(
            "live",
            from: Location(group: 1, object: 2),
            through: .object(Location(group: 1, object: 7))
        )
        scene.world.settle()
        #expect(known.refusal == .noObjects)
        #expect(scene.publisher.fetches.isEmpty)
        // What came before the subscription has to be asked for.
        let asked = scene.late.fetch("live", from: Location(group: 0, object: 0), through: .group(0))
        scene.world.settle()
        #expect(asked.refusal == .noObjects)
        #expect(scene.publisher.fetches.count == 1)
        let partly = scene.late.fetch("live", from: Location(group: 0, object: 5), through: .group(1))
        scene.world.settle()
        #expect(partly.locations == locations([(1, 0), (1, 1)]))
        #expect(partly.outcomes == [.complete])
        #expect(scene.publisher.fetches.count == 1)
        scene.world.closeAll()
    }

    @Test("NO_OBJECTS of a publisher is an empty range for everybody", arguments: DraftProfile.all)
    func noObjectsUpstream(subscriber draft: DraftProfile) throws {
        let scene = FetchScene(DraftPair(publisher: .draft14, subscriber: draft))
        try scene.send(group: 2, count: 2)
        scene.publisher.onFetch = { $0.reject(.noObjects, reason: "nothing") }
        let fetched = scene.late.fetch("live", from: Location(group: 0, object: 0), through: .group(1))
        scene.world.settle()
        if draft == .draft14 {
            #expect(fetched.refusal == .noObjects)
        } else {
            #expect(fetched.answer != nil)
            #expect(fetched.events.isEmpty && fetched.outcomes == [.complete])
        }
        let partly = scene.late.fetch("live", from: Location(group: 1, object: 0), through: .group(2))
        scene.world.settle()
        #expect(partly.locations == locations([(2, 0), (2, 1)]))
        #expect(partly.gaps.isEmpty && partly.outcomes == [.complete])
        #expect(scene.publisher.fetches.count == 1)
        scene.world.closeAll()
    }

    @Test("A subscriber that turns objects off and on is obeyed", arguments: DraftPair.all.filter { $0.hasDraft14 })
    func forward(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        let track = publisher.publish("live")
        world.settle()
        #expect(!track.forward)
        let subscribed = world.connect(drafts.subscriber).subscribe("live")
        world.settle()
        #expect(track.forward)
        subscribed.subscription?.update(forward: false)
        world.settle()
        #expect(!track.forward)
        subscribed.subscription?.update(forward: true)
        world.settle()
        #expect(track.forwardChanges == [true, false, true])
        track.send(group: 1, count: 2)
        world.settle()
        #expect(subscribed.consumer.completeLocations.count == 2)
        world.closeAll()
    }
}
