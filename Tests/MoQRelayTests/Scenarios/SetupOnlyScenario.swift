// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Interop scenario: setup-only", .timeLimit(.minutes(2)))
struct SetupOnlyScenario {
    @Test("A client sets a session up and closes it with code 0", arguments: DraftProfile.all)
    func setupOnly(_ draft: DraftProfile) {
        let world = RelayWorld()
        let client = world.connect(draft)
        #expect(client.isSetUp)
        #expect(world.live.sessions == 1)
        client.session.close(.noError, reason: "")
        world.settle()
        #expect(world.live.sessions == 0)
        #expect(world.relay.counters.sessions == 1)
        #expect(client.closures.map(\.code) == [.noError])
    }
}
