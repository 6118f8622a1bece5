// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

/// A pair over a simulated link in virtual time.
///
/// Unchecked: a test uses it from one task, and the driver makes whichever thread that task runs on the loop's thread.
final class InMemoryFixture: TransportFixture, @unchecked Sendable {
    private let driver: ManualLoopDriver
    private let link: InMemoryLink
    private let clientPeer: Peer
    private let serverPeer: Peer

    init(_ configuration: PairConfiguration, loss: Double) {
        let loop = ManualLoopDriver.makeLoop()
        self.driver = ManualLoopDriver(loop: loop)
        var linkConfiguration = InMemoryLinkConfiguration()
        linkConfiguration.loss = loss
        linkConfiguration.seed = 7
        linkConfiguration.client = configuration.client
        linkConfiguration.server = configuration.server
        self.link = InMemoryLink(loop: loop, configuration: linkConfiguration)
        self.clientPeer = Peer(session: self.link.client, loop: loop)
        self.serverPeer = Peer(session: self.link.server, loop: loop)
        guard configuration.setsHandlers else { return }
        self.link.client.handler = self.clientPeer
        self.link.server.handler = self.serverPeer
    }

    private func peer(_ side: WebTransportRole) -> Peer {
        side == .client ? self.clientPeer : self.serverPeer
    }

    func on<R: Sendable>(_ side: WebTransportRole, _ body: @escaping @Sendable (Peer) throws -> R) async throws -> R {
        self.driver.runUntilIdle()
        return try body(self.peer(side))
    }

    func until(
        _ side: WebTransportRole,
        _ what: String,
        sourceLocation: SourceLocation,
        _ condition: @escaping @Sendable (Peer) -> Bool
    ) async throws {
        for _ in 0..<30_000 {
            self.driver.runUntilIdle()
            if condition(self.peer(side)) { return }
            self.driver.advance(by: .milliseconds(1))
        }
        Issue.record("did not happen: \(what)", sourceLocation: sourceLocation)
        throw ConditionNotMet(what: what)
    }

    func finish() async {
        self.driver.runUntilIdle()
        self.link.client.close(code: 0, reason: "")
        self.link.server.close(code: 0, reason: "")
        // Tasks that waited hear of the end.
        self.driver.runUntilIdle()
        self.clientPeer.clear()
        self.serverPeer.clear()
        self.driver.stop()
    }
}
