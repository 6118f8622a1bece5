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
        // The second stream lacks what was left out in between, and does not look complete either.
        #expect(pausing.consumer.streamEnds == [.reset(.cancelled), .reset(.cancelled)])
        #expect(pausing.consumer.ends.map(\.streamCount) == [2])
        #expect(steady.consumer.completeLocations.map(\.object) == [0, 1, 2, 3])
        #expect(steady.consumer.streamEnds == [.finished])
        world.closeAll()
    }

    @Test(
        "The answer to an update says how far the track is, whoever got its objects",
        arguments: DraftPair.all.filter { $0.subscriber.updatesAreAnswered }
    )
    func largestAfterPause(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        _ = publisher.announce("live")
        world.settle()
        let pausing = world.connect(drafts.subscriber).subscribe("live", forward: false)
        world.settle()
        let track = try #require(publisher.tracks.first)
        track.send(group: 4, count: 3)
        let stream = try #require(track.open(group: 5))
        stream.send(object: 0, size: 10)
        world.settle()

        var answers: [Location?] = []
        pausing.subscription?.update(forward: true, filter: .nextGroup) { result in
            if case .success(let answer) = result {
                answers.append(answer.largestObject)
            }
        }
        world.settle()
        #expect(answers == [Location(group: 5, object: 0)])
        // The next group begins after what the track has reached, not after what this subscriber was given.
        stream.send(object: 1, size: 10)
        stream.finish()
        track.send(group: 6, count: 1)
        world.settle()
        #expect(pausing.consumer.completeLocations == [Location(group: 6, object: 0)])
        world.closeAll()
    }

    @Test(
        "What a publisher says in the answer to the relay's update is passed on",
        arguments: DraftPair.all.filter { $0.publisher.updatesAreAnswered }
    )
    func largestOfUpdate(_ drafts: DraftPair) throws {
        final class Knowing: TrackPublisherDelegate {
            func trackPublisher(_ publisher: TrackPublisher, didChangeForward forward: Bool) {}
            func trackPublisher(_ publisher: TrackPublisher, didEnd end: TrackPublisherEnd) {}
            func trackPublisherLargestObject(_ publisher: TrackPublisher) -> Location? {
                Location(group: 7, object: 2)
            }
        }
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        let knowing = Knowing()
        let track = publisher.publish("live")
        track.publisher?.delegate = knowing
        world.settle()
        let first = world.connect(drafts.subscriber).subscribe("live")
        world.settle()
        #expect(first.answer?.largestObject == nil)
        #expect(track.forward)
        let second = world.connect(drafts.subscriber).subscribe("live")
        world.settle()
        #expect(second.answer?.largestObject == Location(group: 7, object: 2))
        world.closeAll()
    }
}
