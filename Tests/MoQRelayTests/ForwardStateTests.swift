// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing

@Suite("The forward state of subscribers and publishers")
struct ForwardStateTests {
    @Test("A subscriber that pauses inside a subgroup gets the rest of it when it goes on", arguments: DraftPair.all)
    func pausedInsideSubgroup(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        _ = publisher.announce("live")
        world.settle()
        let pausing = world.connect(drafts.subscriber).subscribe("live")
        let steady = world.connect(drafts.subscriber).subscribe("live")
        world.settle()
        let stream = try #require(publisher.tracks.first?.open(group: 0))
        stream.send(object: 0, size: 10)
        world.settle()

        pausing.subscription?.update(forward: false)
        world.settle()
        stream.send(object: 1, size: 10)
        world.settle()
        pausing.subscription?.update(forward: true)
        world.settle()
        stream.send(object: 2, size: 10)
        stream.send(object: 3, size: 10)
        stream.finish()
        publisher.tracks[0].end()
        world.settle()

        #expect(pausing.consumer.completeLocations.map(\.object) == [0, 2, 3])
        #expect(pausing.consumer.streamEnds == [.reset(.cancelled), .finished])
        #expect(pausing.consumer.ends.map(\.streamCount) == [2])
        #expect(steady.consumer.completeLocations.map(\.object) == [0, 1, 2, 3])
        #expect(steady.consumer.streamEnds == [.finished])
        world.closeAll()
    }
}
