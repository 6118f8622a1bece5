// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import Testing

@testable import PicoQuic

/// STOP_SENDING for a stream that waits for the peer's limit must wait as well (RFC 9000 section 4.6).
@Suite("Stops of streams beyond the limit", .tags(.network), .timeLimit(.minutes(1)))
struct WaitingStopTests {
    @Test("A stream that is stopped while it waits for the peer's limit is opened, and stopped, when its turn comes")
    func stopBeyondLimit() async throws {
        let fixture = try await Fixture(adjust: { $0.maximumIncomingBidirectionalStreams = 1 })
        let link = try await fixture.connect()
        let streams = try await link.run { connection, delegate in
            let tokens = (0..<2).map { _ in delegate.makeToken() }
            let streams = try tokens.map { try connection.openStream(isUnidirectional: false, token: $0) }
            delegate.send([1], isFinished: true, stream: streams[0], on: connection)
            delegate.send([2, 3], isFinished: false, stream: streams[1], on: connection)
            try connection.stopSending(stream: streams[1], code: 7, token: tokens[1])
            return streams
        }
        await fixture.serverWitness.wait { $0.stops[streams[1]] != nil || !$0.closes.isEmpty }
        let server = fixture.serverWitness.state
        #expect(server.stops == [streams[1]: 7])
        #expect(server.received[streams[0]] == [1])
        await link.witness.wait { $0.finished.contains(streams[0]) || !$0.closes.isEmpty }
        #expect(link.witness.state.closes.isEmpty)
        #expect(link.witness.state.received[streams[1]] == nil)
        await fixture.stop()
    }
}
