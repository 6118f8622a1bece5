// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Churn", .timeLimit(.minutes(2)))
struct ChurnTests {
    /// A client and what it has asked for.
    private struct Visitor {
        var client: TestClient
        var subscribed: [Subscribed] = []
        var followed: [Followed] = []
        var announced: [Announced] = []
        var tracks: [TestTrack] = []
    }

    @Test("After a hundred random comings and goings nothing is left", arguments: 1...8)
    func nothingIsLeft(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        let world = RelayWorld()
        var visitors: [Visitor] = []
        let names = ["one", "two", "three"]
        let spaces = ["a", "a/b", "a/b/c", "d"]
        for _ in 0..<100 {
            if visitors.count < 3 || (visitors.count < 8 && Bool.random(using: &random)) {
                let draft = DraftProfile.all.randomElement(using: &random) ?? .draft18
                visitors.append(Visitor(client: world.connect(draft)))
            }
            let index = Int.random(in: 0..<visitors.count, using: &random)
            let space = spaces.randomElement(using: &random) ?? "a"
            let name = names.randomElement(using: &random) ?? "one"
            switch Int.random(in: 0..<11, using: &random) {
            case 0, 1, 2:
                visitors[index].subscribed.append(visitors[index].client.subscribe(space, name))
            case 3:
                visitors[index].announced.append(visitors[index].client.announce(space))
            case 4:
                visitors[index].tracks.append(visitors[index].client.publish(space, name))
            case 5:
                visitors[index].followed.append(visitors[index].client.follow(space))
            case 6:
                visitors[index].subscribed.popLast()?.subscription?.cancel()
            case 7:
                visitors[index].announced.popLast()?.publication?.withdraw()
            case 8:
                visitors[index].tracks.popLast()?.end()
                visitors[index].followed.popLast()?.subscription?.cancel()
            case 9:
                visitors[index].client.session.close(.noError, reason: "")
                visitors.remove(at: index)
            default:
                visitors[index].client.link.sever(.idleTimeout)
                visitors.remove(at: index)
            }
            // Everybody who may sends something; some of it stays open.
            for visitor in visitors {
                for track in visitor.tracks + visitor.client.tracks {
                    let stream = track.open(group: UInt64.random(in: 0..<50, using: &random))
                    stream?.send(object: 0, size: Int.random(in: 0..<5_000, using: &random))
                    if Bool.random(using: &random) {
                        stream?.finish()
                    }
                }
            }
            world.advance(.milliseconds(Int64.random(in: 0..<60, using: &random)))
            #expect(world.live.sessions <= visitors.count + 3)
        }
        world.settle()
        #expect(world.live.sessions == visitors.count)
        let counters = world.relay.counters
        #expect(counters.subscribers > 0)
        #expect(counters.objectsOut > 0)
        #expect(visitors.allSatisfy { !$0.client.isClosed })
        world.closeAll()
    }

    @Test("A thousand connections leave nothing in the relay, not even their sessions")
    func thousandCycles() throws {
        let world = RelayWorld()
        let publisher = world.connect(.draft18)
        _ = publisher.announce("live")
        let offered = world.connect(.draft16).publish("live", "offered")
        world.settle()
        // One subscriber stays, and one subgroup that everybody takes part in stays open.
        let resident = world.connect(.draft18).subscribe("live", "offered")
        world.settle()
        let open = try #require(offered.open(group: 0))
        open.send(object: 0, size: 1)
        world.settle()
        let idle = world.live
        for cycle in 0..<1_000 {
            let client = world.connect(cycle % 2 == 0 ? .draft18 : .draft16)
            let subscribed = client.subscribe("live")
            let other = client.subscribe("live", "offered")
            world.settle()
            try #require(publisher.tracks.last).send(group: UInt64(cycle), count: 1)
            open.send(object: UInt64(cycle) + 1, size: 1)
            world.settle()
            #expect(subscribed.consumer.objects.count == 1)
            #expect(other.consumer.objects.count == 1)
            #expect(world.relaySessionCount == 4)
            world.disconnect(client)
            #expect(world.relaySessionCount == 3, "cycle \(cycle)")
            #expect(world.live == idle, "cycle \(cycle)")
        }
        #expect(publisher.tracks.count == 1_001, "it is asked for what the other one offers, too, once")
        #expect(resident.consumer.completeLocations.count == 1_001)
        world.closeAll()
    }
}
