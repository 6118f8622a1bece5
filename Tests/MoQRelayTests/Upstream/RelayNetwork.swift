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
        let uplink = Uplink(loop: self.loop, profile: profile, to: upper)
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

    /// Waits until no relay has a track. They look for rings at moments of their own choice, with a track that lives as long as
    /// the search, at most 2 s.
    func awaitSearches() {
        for _ in 0..<10 where self.relays.contains(where: { $0.counters.live.tracks > 0 }) {
            self.advance(.seconds(1))
        }
    }

    /// Closes all clients, and checks that nothing is left of them in any relay; then all relays.
    func closeAll(sourceLocation: SourceLocation = #_sourceLocation) {
        for client in self.clients {
            client.session.close(.noError, reason: "")
        }
        self.advance(.seconds(1))
        self.awaitSearches()
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
    var link: InMemoryLink? {
        self.links.last
    }
    /// All connections; one that nobody had would break.
    private var links: [InMemoryLink] = []
    /// What the handle answered to the last connection.
    private(set) var session: MoQSession?
    /// The upper relay's side of the last connection.
    private(set) weak var farSession: MoQSession?

    private let loop: PacketLoop
    private let profile: DraftProfile
    private weak var upper: MoQRelay?
    private let accept: (any WebTransportSession) -> Void
    /// The relays that a GOAWAY may name, by URI.
    private var others: [String: MoQRelay] = [:]

    /// `accept` is given the other end of each connection.
    init(loop: PacketLoop, profile: DraftProfile, accept: @escaping (any WebTransportSession) -> Void) {
        self.loop = loop
        self.profile = profile
        self.accept = accept
    }

    /// The way to a relay. The network has the relays: a ring of them that had each other would never be freed.
    convenience init(loop: PacketLoop, profile: DraftProfile, to upper: MoQRelay?) {
        self.init(loop: loop, profile: profile) { _ in }
        self.upper = upper
    }

    /// Says which relay a URI leads to.
    func name(_ relay: MoQRelay, _ uri: String) {
        self.others[uri] = relay
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
            let other = upstream.redirect.flatMap { self.others[$0] }
            guard self.isReachable, upstream.redirect == nil || other != nil else {
                upstream.failed("nobody listens")
                return
            }
            let link = InMemoryLink(loop: self.loop, configuration: InMemoryLinkConfiguration())
            self.links.append(link)
            if let relay = other ?? self.upper {
                self.farSession = relay.accept(link.server, profile: self.profile)
            } else {
                self.accept(link.server)
            }
            self.session = upstream.connected(link.client, profile: self.profile)
        }
    }
}
