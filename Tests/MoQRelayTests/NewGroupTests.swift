// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing

/// Draft-18 §10.2.13, "NEW GROUP REQUEST Parameter".
@Suite("Asking for a new group through a relay", .timeLimit(.minutes(1)))
struct NewGroupTests {
    private static let pairs = DraftPair.all.filter { !$0.hasDraft14 }
    private static let name = FullTrackName(namespace: TrackNamespace(path: "live"), name: "track")

    /// A relay and a publisher of a track that can have new groups at any time, unless told otherwise.
    private struct Scene {
        let world = RelayWorld()
        let publisher: TestClient
        let viewers: [TestClient]

        init(_ drafts: DraftPair, isDynamic: Bool = true) throws {
            self.publisher = self.world.connect(drafts.publisher)
            if isDynamic {
                let pair = try #require(KeyValuePair(type: PropertyType.dynamicGroups, integer: 1))
                self.publisher.properties = try PropertyList([pair], coding: drafts.publisher.coding)
            }
            _ = self.publisher.announce("live")
            self.world.settle()
            self.viewers = [self.world.connect(drafts.subscriber), self.world.connect(drafts.subscriber)]
        }

        /// Subscribes, with such a request.
        func subscribe(_ viewer: Int, _ group: UInt64? = nil) -> Subscribed {
            let subscribed = self.viewers[viewer].subscribe(
                NewGroupTests.name,
                parameters: SubscriptionParameters(newGroupRequest: group)
            )
            self.world.settle()
            return subscribed
        }

        /// What the publisher was asked with updates, after the SUBSCRIBE.
        func asked() throws -> [UInt64] {
            try #require(self.publisher.tracks.first).updates.compactMap(\.newGroupRequest)
        }
    }

    @Test(
        "The first SUBSCRIBE takes the request along, and it stands until there is a new group",
        arguments: Self.pairs
    )
    func inSubscribe(_ drafts: DraftPair) throws {
        let scene = try Scene(drafts)
        scene.publisher.largest = Location(group: 6, object: 4)
        _ = scene.subscribe(0, 0)
        #expect(scene.publisher.subscribes.map(\.parameters.newGroupRequest) == [0])
        // Another one that asks for the same is served by it.
        _ = scene.subscribe(1, 0)
        #expect(scene.publisher.subscribes.count == 1)
        #expect(try scene.asked() == [])
        try #require(scene.publisher.tracks.first).send(group: 7, count: 1)
        scene.world.settle()
        scene.world.disconnect(scene.viewers[1])
        let third = scene.world.connect(drafts.subscriber).subscribe(
            Self.name,
            parameters: SubscriptionParameters(newGroupRequest: 0)
        )
        scene.world.settle()
        #expect(third.answer != nil)
        #expect(try scene.asked() == [0])
        scene.world.closeAll()
    }

    @Test("An update is passed on when it asks for what is not there, and was not asked for", arguments: Self.pairs)
    func inUpdate(_ drafts: DraftPair) throws {
        let scene = try Scene(drafts)
        let subscribed = [scene.subscribe(0), scene.subscribe(1)]
        #expect(scene.publisher.subscribes.map(\.parameters.newGroupRequest) == [nil])
        let track = try #require(scene.publisher.tracks.first)
        track.send(group: 4, count: 1)
        scene.world.settle()
        func ask(_ viewer: Int, _ group: UInt64) throws {
            try #require(subscribed[viewer].subscription).update(newGroupRequest: group)
            scene.world.settle()
        }
        try ask(0, 3)
        try ask(0, 4)
        #expect(try scene.asked() == [], "there is a group 4")
        try ask(0, 5)
        try ask(1, 5)
        try ask(1, 0)
        #expect(try scene.asked() == [5])
        try ask(1, 6)
        #expect(try scene.asked() == [5, 6])
        track.send(group: 5, count: 1)
        scene.world.settle()
        try ask(0, 6)
        #expect(try scene.asked() == [5, 6, 6], "a new group has come")
        #expect(subscribed.allSatisfy { $0.consumer.ends.isEmpty })
        scene.world.closeAll()
    }

    @Test("A track that cannot have new groups at any time is not asked for one", arguments: Self.pairs)
    func notDynamic(_ drafts: DraftPair) throws {
        let scene = try Scene(drafts, isDynamic: false)
        let subscribed = scene.subscribe(0)
        try #require(subscribed.subscription).update(newGroupRequest: 0)
        scene.world.settle()
        _ = scene.subscribe(1, 9)
        #expect(try scene.asked() == [])
        scene.world.closeAll()
    }

    @Test("Who accepts an offer may ask for a group, too", arguments: Self.pairs)
    func inPublishOk(_ drafts: DraftPair) throws {
        let scene = try Scene(drafts)
        scene.publisher.largest = Location(group: 2, object: 0)
        let track = scene.publisher.publish("live")
        let consumer = RecordingConsumer()
        scene.viewers[0].onPublish = { request in
            request.accept(parameters: SubscriptionParameters(newGroupRequest: 3), consumer: consumer)
        }
        scene.viewers[0].session.subscribeTracks(TrackNamespace(path: "live"), events: { _ in }, response: { _ in })
        scene.world.settle()
        #expect(track.updates.compactMap(\.newGroupRequest) == [3])
        scene.world.closeAll()
    }

    @Test("Draft 14 has no such request: nobody is harmed")
    func draft14() throws {
        for drafts in DraftPair.all where drafts.publisher == .draft14 && drafts.subscriber != .draft14 {
            let scene = try Scene(drafts, isDynamic: false)
            let subscribed = scene.subscribe(0, 0)
            #expect(subscribed.answer != nil)
            try #require(scene.publisher.tracks.first).send(group: 1, count: 2)
            scene.world.settle()
            #expect(subscribed.consumer.completeLocations.count == 2)
            scene.world.closeAll()
        }
    }
}
