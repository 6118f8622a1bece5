// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing

@Suite("Another filter while a group is open")
struct FilterUpdateTests {
    /// A subscriber who has the first object of a group that is open.
    private struct Scene {
        let world = RelayWorld()
        let publisher: TestClient
        let subscribed: Subscribed
        let stream: any SubgroupConsumer

        init(_ drafts: DraftPair) throws {
            self.publisher = self.world.connect(drafts.publisher)
            _ = self.publisher.announce("live")
            self.world.settle()
            self.subscribed = self.world.connect(drafts.subscriber).subscribe("live")
            self.world.settle()
            self.stream = try #require(self.publisher.tracks.first?.open(group: 0))
            self.send(0...0)
        }

        func send(_ objects: ClosedRange<UInt64>) {
            for object in objects {
                self.stream.send(object: object, size: 10)
            }
            self.world.settle()
        }

        func update(_ filter: SubscriptionFilter) {
            self.subscribed.subscription?.update(filter: filter)
            self.world.settle()
        }

        func finish() {
            self.stream.finish()
            self.world.settle()
        }

        var objects: [UInt64] {
            self.subscribed.consumer.completeLocations.map(\.object)
        }
    }

    @Test(
        "Who leaves the open group out and then wants it after all gets the rest of it",
        // Draft 14 does not let it ask for more than before.
        arguments: DraftPair.all.filter { $0.subscriber.updatesAreAnswered }
    )
    func wantedAgain(_ drafts: DraftPair) throws {
        let scene = try Scene(drafts)
        scene.update(.absoluteStart(Location(group: 1, object: 0)))
        #expect(scene.subscribed.consumer.streamEnds == [.reset(.cancelled)])
        scene.send(1...1)
        scene.update(.absoluteStart(Location(group: 0, object: 0)))
        scene.send(2...3)
        // The same without an object in between.
        scene.update(.absoluteStart(Location(group: 1, object: 0)))
        scene.update(.absoluteStart(Location(group: 0, object: 0)))
        scene.send(4...4)
        scene.finish()
        #expect(scene.objects == [0, 2, 3, 4])
        #expect(scene.subscribed.consumer.streamEnds.count == 3)
        scene.world.closeAll()
    }

    @Test("A start inside the open group is where the objects go on, on another stream", arguments: DraftPair.all)
    func startInside(_ drafts: DraftPair) throws {
        let scene = try Scene(drafts)
        scene.update(.absoluteStart(Location(group: 0, object: 3)))
        scene.send(1...4)
        scene.finish()
        #expect(scene.objects == [0, 3, 4])
        #expect(scene.subscribed.consumer.subgroups.count == 2)
        #expect(scene.subscribed.consumer.streamEnds.first == .reset(.cancelled))
        scene.world.closeAll()
    }
}
