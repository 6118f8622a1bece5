// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Interop scenarios: announce-only and publish-namespace-done", .timeLimit(.minutes(2)))
struct AnnounceOnlyScenario {
    @Test("A namespace is announced and accepted", arguments: DraftProfile.all)
    func announceOnly(_ draft: DraftProfile) {
        let world = RelayWorld()
        let client = world.connect(draft)
        let announced = client.announce("moq-test/interop")
        world.settle()
        #expect(announced.isAccepted)
        #expect(world.live.namespaces == 1)
        world.closeAll()
    }

    @Test("A withdrawn namespace is forgotten and the session stays", arguments: DraftProfile.all)
    func publishNamespaceDone(_ draft: DraftProfile) {
        let world = RelayWorld()
        let client = world.connect(draft)
        let announced = client.announce("moq-test/interop")
        world.settle()
        announced.publication?.withdraw()
        world.settle()
        #expect(world.live.namespaces == 0)
        #expect(!client.isClosed)
        let again = client.announce("moq-test/interop")
        world.settle()
        #expect(again.isAccepted)
        world.closeAll()
    }
}
