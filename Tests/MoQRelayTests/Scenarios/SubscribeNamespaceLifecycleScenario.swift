// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Interop scenario: subscribe-namespace-lifecycle", .timeLimit(.minutes(2)))
struct SubscribeNamespaceLifecycleScenario {
    @Test("A followed namespace appears and disappears", arguments: DraftPair.all)
    func lifecycle(_ drafts: DraftPair) {
        let world = RelayWorld()
        let follower = world.connect(drafts.subscriber)
        let followed = follower.follow("moq-test/lifecycle")
        world.settle()
        #expect(followed.isAccepted)
        #expect(followed.events.isEmpty)

        let publisher = world.connect(drafts.publisher)
        let announced = publisher.announce("moq-test/lifecycle")
        world.settle()
        let namespace = TrackNamespace(path: "moq-test/lifecycle")
        #expect(followed.events == [.published(namespace)])

        announced.publication?.withdraw()
        world.settle()
        #expect(followed.events == [.published(namespace), .withdrawn(namespace)])
        #expect(world.live.namespaceSubscriptions == 1)
        world.closeAll()
    }
}
