// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PicoQuic
import WebTransport

/// What is to happen in an episode over loopback sockets.
struct NetworkPlan: Sendable {
    /// One attempt to connect, and what its session then does.
    struct Connect: Sendable {
        /// Milliseconds after the beginning.
        var time: Int
        var client: Int
        var throughProxy: Bool
        var timeout: Int
        /// After how many milliseconds the attempt is called off.
        var cancellation: Int?
        var script: PeerScript
    }

    /// Something that happens to an endpoint or between them.
    enum Event: Sendable {
        /// The server stops, in order, and comes back on the same port.
        case restart(code: UInt64, pause: Int)
        case stopClient(Int)
        case junkToServer(Int)
        case junkToClient(Int, Int)
        case rebind
        case cut(milliseconds: Int)
    }

    /// How bad the way between the endpoints is.
    struct Weather: Sendable {
        /// Of a thousand datagrams.
        var lost = 0
        var doubled = 0
        var altered = 0
        var delayed = 0
        /// The longest delay in milliseconds.
        var delay = 0
    }

    var duration: Int
    var serverBounds: WebTransportConfiguration
    var clientBounds: [WebTransportConfiguration]
    var retry: QUICConfiguration.RetryPolicy
    var congestionControl: String
    var idleTimeout: Int
    var keepAlive: Int?
    var maximumConnections: Int
    var takesDatagrams: Bool
    var connects: [Connect]
    var serverScripts: [PeerScript]
    var events: [(time: Int, event: Event)]
    var weather: Weather
    var settles: Bool
    var serverStopsFirst: Bool
    var farewell: UInt64

    /// Draws a plan; the same for the same seed.
    init(seed: UInt64) {
        var random = ChaosRandom(seed: seed, 0x6e_6574)
        let duration = random.within(60...900)
        let server = SessionKnobs.draw(from: &random)
        let clients = (0..<random.within(1...3)).map { _ in SessionKnobs.draw(from: &random) }
        self.duration = duration
        self.serverBounds = server
        self.clientBounds = clients
        self.retry = random.pick([.whenLoaded, .whenLoadedWithTokens, .always])
        self.congestionControl = random.pick(["cubic", "cubic", "newreno", "bbr", "dcubic", "c4"])
        self.idleTimeout = random.pick([1_500, 3_000, 30_000])
        self.keepAlive = random.chance(perMille: 500) ? random.pick([100, 500]) : nil
        self.maximumConnections = random.chance(perMille: 150) ? random.pick([1, 2, 4]) : 512
        self.takesDatagrams = !random.chance(perMille: 80)
        let hasProxy = random.chance(perMille: 600)
        var weather = Weather()
        if hasProxy, random.chance(perMille: 800) {
            weather.lost = random.pick([0, 10, 50, 100])
            weather.doubled = random.pick([0, 10, 100])
            weather.altered = random.pick([0, 5, 30])
            weather.delayed = random.pick([0, 50, 500])
            weather.delay = random.pick([1, 5, 30])
        }
        self.weather = weather
        let limit = min(SessionKnobs.streamLimit(towards: server), 150_000)
        self.connects = (0..<random.within(1...7)).map { _ in
            Connect(
                time: random.chance(perMille: 500) ? 0 : random.below(duration * 2 / 3),
                client: random.below(clients.count),
                throughProxy: hasProxy && random.chance(perMille: 800),
                timeout: random.pick([30, 400, 2_000, 4_000]),
                cancellation: random.chance(perMille: 120) ? random.below(60) : nil,
                script: PeerScript(from: &random, duration: duration, streamLimit: limit, closesPerMille: 250)
            )
        }
        let back = clients.map(SessionKnobs.streamLimit).min() ?? limit
        self.serverScripts = (0..<4).map { _ in
            PeerScript(
                from: &random,
                duration: duration,
                streamLimit: min(back, 150_000),
                closesPerMille: 200
            )
        }
        self.events = (0..<random.below(5)).map { _ in
            (random.below(duration), Self.event(from: &random, clients: clients.count))
        }.sorted { $0.0 < $1.0 }
        self.settles = random.chance(perMille: 650)
        self.serverStopsFirst = random.chance(perMille: 500)
        self.farewell = random.next() >> 2
    }

    private static func event(from random: inout ChaosRandom, clients: Int) -> Event {
        switch random.below(20) {
        case ..<3: .restart(code: random.next() >> 2, pause: random.below(60))
        case 3: .stopClient(random.below(clients))
        case ..<10: .junkToServer(random.size(upTo: 200))
        case ..<13: .junkToClient(random.below(clients), random.size(upTo: 100))
        case ..<17: .rebind
        default: .cut(milliseconds: random.within(5...250))
        }
    }
}
