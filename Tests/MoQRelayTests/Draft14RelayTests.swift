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
