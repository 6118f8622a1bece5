// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

/// Relays that have each other for upstream relays, and their clients, on simulated links, in virtual time on the test's
/// thread.
final class RelayNetwork {
    let driver: ManualLoopDriver
    private(set) var relays: [MoQRelay] = []
    private var clients: [TestClient] = []

    init() {
        self.driver = ManualLoopDriver(loop: ManualLoopDriver.makeLoop(label: "relay network"))
    }

    var loop: PacketLoop {
        self.driver.loop
    }

    /// Makes a relay.
    func relay(_ configuration: MoQRelayConfiguration = MoQRelayConfiguration()) -> MoQRelay {
        let relay = MoQRelay(loop: self.loop, configuration: configuration)
        self.relays.append(relay)
        return relay
    }

    /// Connects a client to a relay and completes the setup.
    func client(of relay: MoQRelay, _ profile: DraftProfile = .draft18) -> TestClient {
        let link = InMemoryLink(loop: self.loop, configuration: InMemoryLinkConfiguration())
        let client = TestClient(
            transport: link.client,
            loop: self.loop,
            profile: profile,
            configuration: MoQSessionConfiguration(),
            link: link
        )
        self.clients.append(client)
        _ = relay.accept(link.server, profile: profile)
        client.session.start()
        self.settle()
        return client
    }

    /// Gives a relay another one for its upstream relay.
    func join(
        _ lower: MoQRelay,
        to upper: MoQRelay?,
        _ profile: DraftProfile = .draft18,
        backoff: ReconnectBackoff = ReconnectBackoff()
    ) -> Uplink {
        // The network has the relays: a ring of them that had each other would never be freed.
        let uplink = Uplink(loop: self.loop, profile: profile) { [weak upper] in upper?.accept($0, profile: profile) }
        uplink.isReachable = upper != nil
        uplink.add(to: lower, backoff: backoff)
        self.settle()
        return uplink
    }

    /// Lets a quarter of a second pass: several round trips on every link of the tests.
    func settle() {
        self.driver.advance(by: .milliseconds(250))
    }

    /// Lets time pass.
    func advance(_ duration: Duration) {
        self.driver.advance(by: duration)
    }

    /// Closes all clients, and checks that nothing is left of them in any relay; then all relays.
    func closeAll(sourceLocation: SourceLocation = #_sourceLocation) {
        for client in self.clients {
            client.session.close(.noError, reason: "")
        }
        self.advance(.seconds(1))
        for relay in self.relays {
            var live = relay.counters.live
            live.sessions = 0
            #expect(live == MoQRelayCounters.Live(), sourceLocation: sourceLocation)
        }
        for relay in self.relays {
            relay.close()
        }
        self.settle()
        for relay in self.relays {
            #expect(relay.counters.live == MoQRelayCounters.Live(), sourceLocation: sourceLocation)
            #expect(relay.counters.cachedBytes == 0, sourceLocation: sourceLocation)
        }
        let attempts = self.driver.loop.counters.liveTimers
        #expect(attempts == 0, "something is still going to happen", sourceLocation: sourceLocation)
    }
}

/// The way from a relay to its upstream relay.
final class Uplink {
    /// Whether somebody answers at the other end.
    var isReachable = true
    /// When the relay tried to connect.
    private(set) var attempts: [LoopInstant] = []
    /// What the relay said about it.
    private(set) var events: [RelayUpstream.Event] = []
    /// The connection that was made last.
    private(set) var link: InMemoryLink?
    /// What the handle answered to the last connection.
    private(set) var session: MoQSession?

    private let loop: PacketLoop
    private let profile: DraftProfile
    private let accept: (any WebTransportSession) -> Void

    init(loop: PacketLoop, profile: DraftProfile, accept: @escaping (any WebTransportSession) -> Void) {
        self.loop = loop
        self.profile = profile
        self.accept = accept
    }

    /// Makes the relay connect.
    func add(to relay: MoQRelay, backoff: ReconnectBackoff = ReconnectBackoff()) {
        relay.addUpstream(
            name: "upstream",
            backoff: backoff,
            onEvent: { self.events.append($0) },
            dial: { self.dial($0) }
        )
    }

    /// How often the relay could ask it.
    var readyCount: Int {
        self.events.count { if case .ready = $0 { true } else { false } }
    }

    /// How often the relay found that it leads back.
    var circularCount: Int {
        self.events.count { if case .circular = $0 { true } else { false } }
    }

    /// How often the relay could not have it, or lost it.
    var failureCount: Int {
        self.events.count - self.readyCount - self.circularCount
    }

    /// Breaks the connection, as a crash of the upstream relay would.
    func sever() {
        self.link?.sever(.idleTimeout)
    }

    private func dial(_ upstream: RelayUpstream) {
        self.attempts.append(self.loop.now)
        self.loop.schedule(after: .milliseconds(20)) {
            guard self.isReachable else {
                upstream.failed("nobody listens")
                return
            }
            let link = InMemoryLink(loop: self.loop, configuration: InMemoryLinkConfiguration())
            self.link = link
            self.accept(link.server)
            self.session = upstream.connected(link.client, profile: self.profile)
        }
    }
}
