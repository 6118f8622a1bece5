// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport

/// Draft-18 §10.4, "GOAWAY", and §9.4.1, "Graceful Subscriber Relay Switchover".
@Suite("An upstream relay that says where to go instead", .timeLimit(.minutes(1)))
struct UpstreamMoveTests {
    private static let uri = "moqt://second.example/relay"

    @Test("What came from the old one goes on from the new one without a gap", arguments: DraftProfile.all)
    func moves(_ profile: DraftProfile) throws {
        let scene = UpstreamScene(profile)
        let second = scene.network.relay()
        scene.uplink.name(second, Self.uri)
        // The publisher has a session with both relays.
        let publishers = [scene.above(profile), scene.network.client(of: second, profile)]
        for publisher in publishers {
            _ = publisher.announce("live")
        }
        let viewer = scene.below()
        let viewed = viewer.subscribe("live")
        let followed = viewer.follow("live")
        scene.settle()
        try #require(publishers[0].tracks.first).send(group: 0, count: 2)
        scene.settle()
        let old = try #require(scene.uplink.farSession)
        old.sendGoaway(newSessionURI: Self.uri, timeout: .seconds(30))
        scene.network.advance(.seconds(3))
        #expect(scene.uplink.attempts.count == 2)
        #expect(scene.uplink.readyCount == 2)
        #expect(scene.uplink.farSession !== old)
        #expect(publishers[1].subscribes.count == 1)
        #expect(old.isOpen, "the new one has not brought anything yet")
        for group in 1..<4 as Range<UInt64> {
            for publisher in publishers {
                try #require(publisher.tracks.first).send(group: group, count: 2)
                scene.settle()
            }
        }
        #expect(!old.isOpen)
        #expect(viewed.consumer.completeLocations == locations((0..<4).flatMap { [($0, 0), ($0, 1)] }))
        #expect(viewed.consumer.locations.count == 8)
        #expect(viewed.consumer.ends.isEmpty)
        #expect(followed.events == [.published(TrackNamespace(path: "live"))])
        #expect(scene.lower.counters.upstreamFailures == 0)
        scene.closeAll()
    }

    @Test("Without anything to take along the old one is left at once")
    func idle() throws {
        let scene = UpstreamScene()
        let second = scene.network.relay()
        scene.uplink.name(second, Self.uri)
        let old = try #require(scene.uplink.farSession)
        old.sendGoaway(newSessionURI: Self.uri)
        scene.network.advance(.seconds(3))
        #expect(!old.isOpen)
        #expect(scene.uplink.readyCount == 2)
        #expect(second.counters.live.sessions == 1)
        // And from there on it is a session like any other.
        let publisher = scene.network.client(of: second)
        _ = publisher.announce("live")
        scene.settle()
        let viewed = scene.below().subscribe("live")
        scene.settle()
        #expect(viewed.answer != nil)
        // When that one is lost, the one that was configured is tried.
        scene.uplink.sever()
        scene.network.advance(.seconds(5))
        #expect(scene.upper.counters.live.sessions == 1)
        #expect(second.counters.live.sessions == 1)
        scene.closeAll()
    }

    @Test("A URI that leads nowhere is forgotten, and the one that was configured tried again")
    func nowhere() throws {
        let scene = UpstreamScene()
        let old = try #require(scene.uplink.farSession)
        old.sendGoaway(newSessionURI: "moqt://nobody.example", timeout: .seconds(2))
        scene.network.advance(.seconds(10))
        #expect(!old.isOpen)
        #expect(scene.uplink.failureCount == 1)
        #expect(scene.uplink.readyCount == 2)
        #expect(scene.upper.counters.live.sessions == 1)
        scene.closeAll()
    }
}
