// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport

@testable import MoQRelay

@Suite("Fetching an object that does not go on arriving", .timeLimit(.minutes(1)))
struct StalledObjectTests {
    private let location = Location(group: 0, object: 1)

    /// Sends one object and the beginning of the next one.
    private func stall(_ scene: FetchScene) throws -> any SubgroupConsumer {
        let stream = try #require(try scene.track().open(group: 0))
        stream.send(object: 0, size: 10)
        stream.beginObject(ObjectHeader(objectID: 1, properties: PropertyList(), payloadLength: 100))
        stream.receive(payload: Bytes([1, 2, 3]))
        scene.world.settle()
        return stream
    }

    private func fetch(_ scene: FetchScene, parameters: FetchParameters = FetchParameters()) -> Fetched {
        scene.late.fetch("live", through: .object(self.location), parameters: parameters)
    }

    @Test("It is waited for, but not forever", arguments: DraftPair.tellingGaps)
    func notForever(_ drafts: DraftPair) throws {
        let scene = FetchScene(drafts)
        let stream = try self.stall(scene)
        let fetched = self.fetch(scene)
        scene.world.advance(.seconds(9))
        #expect(fetched.locations == locations([(0, 0)]))
        #expect(fetched.outcomes.isEmpty)
        scene.world.advance(.seconds(2))
        #expect(fetched.events.last == .gap(.unknown, self.location))
        #expect(fetched.outcomes == [.complete])
        // Nor longer than the subscriber wants.
        if drafts.subscriber == .draft18 {
            let hasty = self.fetch(scene, parameters: FetchParameters(fillTimeout: 1_000))
            scene.world.advance(.milliseconds(1_500))
            #expect(hasty.events.last == .gap(.unknown, self.location))
        }
        // As long as it goes on arriving, it is waited for.
        let lucky = self.fetch(scene)
        for _ in 0..<3 {
            scene.world.advance(.seconds(9))
            stream.receive(payload: Bytes([4, 5, 6]))
        }
        scene.world.settle()
        #expect(lucky.gaps.isEmpty)
        stream.receive(payload: Bytes([UInt8](repeating: 7, count: 88)))
        scene.world.settle()
        #expect(lucky.locations == locations([(0, 0), (0, 1)]))
        #expect(lucky.outcomes == [.complete])
        scene.world.closeAll()
    }

    @Test("Who cancels leaves nothing behind at the object", arguments: DraftPair.all)
    func cancelled(_ drafts: DraftPair) throws {
        let scene = FetchScene(drafts)
        _ = try self.stall(scene)
        let relay = scene.world.relay
        let name = FullTrackName(namespace: TrackNamespace(path: "live"), name: "track")
        let finding = relay.cache.existing(name)?.find(
            from: self.location,
            through: self.location,
            now: relay.loop.now.microseconds
        )
        guard case .object(let object) = finding else {
            Issue.record("the object is not remembered")
            return
        }
        let fetched = [self.fetch(scene), self.fetch(scene)]
        scene.world.settle()
        #expect(object.isAwaited)
        for one in fetched {
            one.receiver?.cancel()
        }
        scene.world.settle()
        #expect(!object.isAwaited)
        scene.world.closeAll()
    }
}
