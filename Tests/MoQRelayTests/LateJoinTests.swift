// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Joining a track that is under way", .timeLimit(.minutes(2)))
struct LateJoinTests {
    /// A world in which group 5 is open and its objects 0 and 1 have been sent, to a first subscriber.
    private struct Scene {
        let world = RelayWorld()
        let track: TestTrack
        let stream: any SubgroupConsumer
        let first: Subscribed
        let joiner: TestClient

        init(_ drafts: DraftPair) throws {
            let publisher = self.world.connect(drafts.publisher)
            _ = publisher.announce("live")
            self.world.settle()
            self.first = self.world.connect(drafts.subscriber).subscribe("live")
            self.joiner = self.world.connect(drafts.subscriber)
            self.world.settle()
            self.track = try #require(publisher.tracks.first)
            self.stream = try #require(self.track.open(group: 5, containsEndOfGroup: true))
            self.stream.send(object: 0, size: 100)
            self.stream.send(object: 1, size: 100)
            self.world.settle()
        }

        /// Sends objects 2 and 3, ends group 5 and sends groups 6 and 7 of two objects.
        func goOn() {
            self.stream.send(object: 2, size: 100)
            self.stream.send(object: 3, size: 100)
            self.stream.finish()
            self.track.send(group: 6, count: 2)
            self.track.send(group: 7, count: 2)
            self.world.settle()
        }

        func finish() {
            #expect(self.first.consumer.completeLocations.count == 8)
            self.world.closeAll()
        }
    }

    private static func locations(_ pairs: [(UInt64, UInt64)]) -> [Location] {
        pairs.map { Location(group: $0.0, object: $0.1) }
    }

    private static let fromNextObject = Self.locations([(5, 2), (5, 3), (6, 0), (6, 1), (7, 0), (7, 1)])
    private static let fromNextGroup = Self.locations([(6, 0), (6, 1), (7, 0), (7, 1)])

    @Test("The next object: the open subgroup continues on a stream of its own", arguments: DraftPair.all)
    func nextObject(_ drafts: DraftPair) throws {
        let scene = try Scene(drafts)
        let late = scene.joiner.subscribe("live", filter: .nextObject)
        scene.world.settle()
        #expect(late.answer?.largestObject == Location(group: 5, object: 1))
        scene.goOn()
        #expect(late.consumer.completeLocations == Self.fromNextObject)
        let joined = try #require(late.consumer.subgroups.first { $0.group == 5 })
        #expect(!joined.isFirstObject)
        #expect(joined.containsEndOfGroup)
        #expect(late.consumer.streamEnds == [.finished, .finished, .finished])
        scene.finish()
    }

    @Test("No filter: everything that comes from now on", arguments: DraftPair.all)
    func unfiltered(_ drafts: DraftPair) throws {
        let scene = try Scene(drafts)
        let late = scene.joiner.subscribe("live")
        scene.world.settle()
        #expect(late.answer?.largestObject == Location(group: 5, object: 1))
        scene.goOn()
        #expect(late.consumer.completeLocations == Self.fromNextObject)
        scene.finish()
    }

    @Test("In the middle of an object: that object is left out whole", arguments: DraftPair.all)
    func middleOfObject(_ drafts: DraftPair) throws {
        let scene = try Scene(drafts)
        scene.stream.beginObject(ObjectHeader(objectID: 2, payloadLength: 100))
        scene.stream.receive(payload: Bytes([UInt8](repeating: 2, count: 50)))
        scene.world.settle()
        let late = scene.joiner.subscribe("live", filter: .nextObject)
        scene.world.settle()
        #expect(late.answer?.largestObject == Location(group: 5, object: 2))
        scene.stream.receive(payload: Bytes([UInt8](repeating: 2, count: 50)))
        scene.world.settle()
        #expect(late.consumer.objects.isEmpty)
        scene.stream.send(object: 3, size: 100)
        scene.stream.finish()
        scene.world.settle()
        #expect(late.consumer.completeLocations == Self.locations([(5, 3)]))
        #expect(scene.first.consumer.completeLocations.count == 4)
        scene.world.closeAll()
    }

    @Test("The next group", arguments: DraftPair.all)
    func nextGroup(_ drafts: DraftPair) throws {
        let scene = try Scene(drafts)
        let late = scene.joiner.subscribe("live", filter: .nextGroup)
        scene.world.settle()
        #expect(late.answer?.largestObject == Location(group: 5, object: 1))
        scene.goOn()
        #expect(late.consumer.completeLocations == Self.fromNextGroup)
        scene.finish()
    }

    @Test("An absolute start in the past begins with what is live", arguments: DraftPair.all)
    func pastStart(_ drafts: DraftPair) throws {
        let scene = try Scene(drafts)
        let late = scene.joiner.subscribe("live", filter: .absoluteStart(Location(group: 2, object: 0)))
        scene.world.settle()
        #expect(late.answer?.largestObject == Location(group: 5, object: 1))
        scene.goOn()
        #expect(late.consumer.completeLocations == Self.fromNextObject)
        // Objects 0 and 1 were asked for and are not there, so the rest of their subgroup arrives, but not as a whole one.
        #expect(late.consumer.streamEnds == [.finished, .finished, .reset(.cancelled)])
        scene.track.end()
        scene.world.settle()
        #expect(late.consumer.ends.map(\.streamCount) == [3])
        scene.finish()
    }

    @Test("An absolute start in the future is waited for", arguments: DraftPair.all)
    func futureStart(_ drafts: DraftPair) throws {
        let scene = try Scene(drafts)
        let late = scene.joiner.subscribe("live", filter: .absoluteStart(Location(group: 6, object: 1)))
        scene.world.settle()
        scene.goOn()
        #expect(late.consumer.completeLocations == Self.locations([(6, 1), (7, 0), (7, 1)]))
        let edge = try #require(late.consumer.subgroups.first { $0.group == 6 })
        #expect(!edge.isFirstObject)
        scene.finish()
    }

    @Test("An absolute range ends where it says", arguments: DraftPair.all)
    func range(_ drafts: DraftPair) throws {
        let scene = try Scene(drafts)
        let filter = SubscriptionFilter.absoluteRange(start: Location(group: 5, object: 3), endGroup: 6)
        let late = scene.joiner.subscribe("live", filter: filter)
        scene.world.settle()
        scene.goOn()
        #expect(late.consumer.completeLocations == Self.locations([(5, 3), (6, 0), (6, 1)]))
        scene.finish()
    }

    @Test("The end of a range waits for what is still open", arguments: DraftPair.all)
    func rangeWithStraggler(_ drafts: DraftPair) throws {
        let scene = try Scene(drafts)
        let filter = SubscriptionFilter.absoluteRange(start: Location(group: 5, object: 0), endGroup: 6)
        let late = scene.joiner.subscribe("live", filter: filter)
        scene.world.settle()
        let straggler = try #require(scene.track.open(group: 6, subgroup: 1))
        straggler.send(object: 2, size: 10)
        scene.goOn()
        // Group 7 has told the relay that the range is over; group 6 has not ended.
        straggler.send(object: 3, size: 10)
        straggler.finish()
        scene.world.settle()
        #expect(late.consumer.completeLocations.contains(Location(group: 6, object: 3)))
        #expect(late.consumer.completeLocations.allSatisfy { $0.group < 7 })
        // Only of group 5 something is missing that came before the subscription.
        #expect(late.consumer.streamEnds.count { $0 == .reset(.cancelled) } == 1)
        #expect(late.consumer.streamEnds.count == 3)
        scene.world.advance(.seconds(10))
        #expect(late.consumer.ends.map(\.status) == [.subscriptionEnded])
        #expect(scene.world.live.subscribers == 1)
        scene.world.closeAll()
    }

    @Test("A range that is over is refused", arguments: DraftPair.all)
    func pastRange(_ drafts: DraftPair) throws {
        let scene = try Scene(drafts)
        let filter = SubscriptionFilter.absoluteRange(start: Location(group: 1, object: 0), endGroup: 4)
        let late = scene.joiner.subscribe("live", filter: filter)
        scene.world.settle()
        #expect(late.refusal == .invalidRange)
        #expect(scene.world.live.subscribers == 1)
        scene.goOn()
        scene.finish()
    }

    @Test("A subscriber that turns its flow on late joins then", arguments: DraftPair.all)
    func forwardLater(_ drafts: DraftPair) throws {
        let scene = try Scene(drafts)
        let late = scene.joiner.subscribe("live", forward: false)
        scene.world.settle()
        scene.stream.send(object: 2, size: 100)
        scene.world.settle()
        #expect(late.answer != nil)
        #expect(late.consumer.objects.isEmpty)
        late.subscription?.update(forward: true) { _ in }
        scene.world.settle()
        scene.stream.send(object: 3, size: 100)
        scene.stream.finish()
        scene.world.settle()
        #expect(late.consumer.completeLocations == Self.locations([(5, 3)]))
        #expect(scene.first.consumer.completeLocations.count == 4)
        scene.world.closeAll()
    }

    @Test("The largest location that the publisher reports is passed on", arguments: DraftPair.all)
    func reportedLargest(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        publisher.largest = Location(group: 40, object: 2)
        _ = publisher.announce("live")
        let offered = publisher.publish("live", "offered")
        let subscriber = world.connect(drafts.subscriber)
        world.settle()
        let asked = subscriber.subscribe("live")
        let taken = subscriber.subscribe("live", "offered")
        world.settle()
        #expect(asked.answer?.largestObject == Location(group: 40, object: 2))
        #expect(taken.answer?.largestObject == Location(group: 40, object: 2))
        #expect(offered.results.count == 1)
        world.closeAll()
    }
}
