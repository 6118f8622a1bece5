// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Interop scenarios: publish-track-only and publish-track-subscribe", .timeLimit(.minutes(2)))
struct PublishTrackScenario {
    @Test("A track that is published for nobody is accepted, and ended in peace", arguments: DraftProfile.all)
    func publishTrackOnly(_ draft: DraftProfile) throws {
        let world = RelayWorld()
        let publisher = world.connect(draft)
        let track = publisher.publish("moq-test/only", forward: true)
        world.settle()
        #expect(track.results.count == 1)
        let answer = try #require(try? track.results.first?.get())
        #expect(!answer.forward)
        #expect(world.live.tracks == 1)
        track.end()
        world.settle()
        #expect(world.live.tracks == 0)
        #expect(!publisher.isClosed)
        world.closeAll()
    }

    @Test("A published track starts to flow when somebody subscribes", arguments: DraftPair.all)
    func publishTrackSubscribe(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        let track = publisher.publish("moq-test/both", forward: false)
        let subscriber = world.connect(drafts.subscriber)
        world.settle()
        #expect(!track.forward)

        let subscribed = subscriber.subscribe("moq-test/both")
        world.settle()
        #expect(subscribed.answer != nil)
        #expect(track.forward)
        #expect(track.forwardChanges == [true])

        for object in 0..<5 as Range<UInt64> {
            track.send(group: object, count: 1)
            world.advance(.milliseconds(20))
        }
        world.settle()
        #expect(subscribed.consumer.completeLocations.count == 5)
        world.closeAll()
    }
}
