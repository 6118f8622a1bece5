// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

/// A relay and its clients on simulated links, in virtual time on the test's thread.
final class RelayWorld {
    let driver: ManualLoopDriver
    let relay: MoQRelay
    private(set) var clients: [TestClient] = []
    /// The relay's sides of all connections, as far as they live.
    private var relaySessions: [WeakSession] = []

    /// Does not keep a session.
    private struct WeakSession {
        weak var session: MoQSession?
    }

    init(_ configuration: MoQRelayConfiguration = MoQRelayConfiguration()) {
        let loop = ManualLoopDriver.makeLoop(label: "relay world")
        self.driver = ManualLoopDriver(loop: loop)
        self.relay = MoQRelay(loop: loop, configuration: configuration)
    }

    var loop: PacketLoop {
        self.driver.loop
    }

    var live: MoQRelayCounters.Live {
        self.relay.counters.live
    }

    /// Connects a client and completes the setup.
    func connect(
        _ profile: DraftProfile,
        link: InMemoryLinkConfiguration = InMemoryLinkConfiguration(),
        session: MoQSessionConfiguration = MoQSessionConfiguration()
    ) -> TestClient {
        let client = self.begin(profile, link: link, session: session)
        self.settle()
        return client
    }

    /// Connects a client, and lets no time pass for the setup.
    func begin(
        _ profile: DraftProfile,
        link configuration: InMemoryLinkConfiguration = InMemoryLinkConfiguration(),
        session: MoQSessionConfiguration = MoQSessionConfiguration()
    ) -> TestClient {
        let link = InMemoryLink(loop: self.loop, configuration: configuration)
        let client = TestClient(
            transport: link.client,
            loop: self.loop,
            profile: profile,
            configuration: session,
            link: link
        )
        self.clients.append(client)
        self.relaySessions.append(WeakSession(session: self.relay.accept(link.server, profile: profile)))
        client.session.start()
        return client
    }

    /// How many sessions of the relay are in memory.
    var relaySessionCount: Int {
        self.relaySessions.removeAll { $0.session == nil }
        return self.relaySessions.count
    }

    /// Closes a client and forgets it.
    func disconnect(_ client: TestClient) {
        client.session.close(.noError, reason: "")
        self.settle()
        self.clients.removeAll { $0 === client }
    }

    /// Lets a quarter of a second pass: several round trips on every link of the tests.
    func settle() {
        self.driver.advance(by: .milliseconds(250))
    }

    /// Lets time pass.
    func advance(_ duration: Duration) {
        self.driver.advance(by: duration)
    }

    /// Closes all clients, and checks that nothing is left in the relay.
    func closeAll(sourceLocation: SourceLocation = #_sourceLocation) {
        for client in self.clients {
            client.session.close(.noError, reason: "")
        }
        self.advance(.seconds(1))
        #expect(self.live == MoQRelayCounters.Live(), sourceLocation: sourceLocation)
        #expect(self.relay.counters.cachedBytes == 0, sourceLocation: sourceLocation)
        #expect(self.relaySessionCount == 0, "sessions are kept after their end", sourceLocation: sourceLocation)
    }
}
