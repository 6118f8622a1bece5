// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

/// A pair on two loops, both in virtual time.
///
/// Unchecked: a test uses it from one task, and the drivers make whichever thread that task runs on the loops' thread.
final class LoopBridgeFixture: TransportFixture, @unchecked Sendable {
    private let drivers: [ManualLoopDriver]
    private let peers: [Peer]

    init(_ configuration: PairConfiguration) {
        var bridgeConfiguration = LoopBridge.Configuration()
        bridgeConfiguration.client = configuration.client
        bridgeConfiguration.server = configuration.server
        bridgeConfiguration.maximumDatagramSize = 1_100
        let bridge = LoopBridge(configuration: bridgeConfiguration)
        let drivers = ["client", "server"].map { ManualLoopDriver(loop: ManualLoopDriver.makeLoop(label: $0)) }
        let client = bridge.makeEnd(.client, on: drivers[0].loop)
        let server = bridge.makeEnd(.server, on: drivers[1].loop)
        client.connect(to: server.address)
        server.connect(to: client.address)
        self.drivers = drivers
        self.peers = zip([client, server], drivers).map { Peer(session: $0.session, loop: $1.loop) }
        guard configuration.setsHandlers else { return }
        for peer in self.peers { peer.session.handler = peer }
    }

    private func peer(_ side: WebTransportRole) -> Peer {
        self.peers[side == .client ? 0 : 1]
    }

    /// Lets everything happen that can without time passing.
    private func runUntilIdle() {
        repeat {
            for driver in self.drivers { driver.runUntilIdle() }
        } while self.drivers.contains { $0.loop.hasWork }
    }

    func on<R: Sendable>(_ side: WebTransportRole, _ body: @escaping @Sendable (Peer) throws -> R) async throws -> R {
        self.runUntilIdle()
        return try body(self.peer(side))
    }

    func until(
        _ side: WebTransportRole,
        _ what: String,
        sourceLocation: SourceLocation,
        _ condition: @escaping @Sendable (Peer) -> Bool
    ) async throws {
        for _ in 0..<30_000 {
            self.runUntilIdle()
            if condition(self.peer(side)) { return }
            for driver in self.drivers { driver.advance(by: .milliseconds(1)) }
        }
        Issue.record("did not happen: \(what)", sourceLocation: sourceLocation)
        throw ConditionNotMet(what: what)
    }

    func finish() async {
        self.runUntilIdle()
        for peer in self.peers { peer.session.close(code: 0, reason: "") }
        // Tasks that waited hear of the end.
        self.runUntilIdle()
        for peer in self.peers { peer.clear() }
        for driver in self.drivers { driver.stop() }
    }
}
