// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import WebTransport
import WebTransportInMemory

/// What is to happen in an episode over simulated links in virtual time.
struct MemoryPlan: Sendable {
    /// One link, and the sessions at its ends.
    struct Link: Sendable {
        var configuration: InMemoryLinkConfiguration
        var client: PeerScript
        var server: PeerScript
    }

    /// Something that happens to a link.
    enum Event: Sendable {
        case sever(WebTransportCloseInfo.TransportCause)
        case drop
        case loss(Double)
    }

    var links: [Link]
    /// Microseconds after the beginning, the link, and what happens to it.
    var events: [(time: Int, link: Int, event: Event)]
    var duration: Int
    /// Whether all sessions that still live are to bring everything to its end before they are closed.
    var settles: Bool

    /// Draws a plan; the same for the same seed.
    init(seed: UInt64) {
        var random = ChaosRandom(seed: seed, 0x6d65_6d6f)
        let duration = random.within(20...1_200)
        let links = (0..<random.within(1...4)).map { _ in Self.link(from: &random, duration: duration) }
        var events: [(time: Int, link: Int, event: Event)] = []
        for _ in 0..<random.below(6) {
            let event: Event
            switch random.below(10) {
            case 0: event = .sever(random.pick([.idleTimeout, .statelessReset, .other]))
            case 1: event = .drop
            default: event = .loss(Double(random.below(30)) / 100)
            }
            events.append((random.below(duration * 1_000), random.below(links.count), event))
        }
        self.links = links
        self.events = events.enumerated().sorted {
            ($0.element.time, $0.offset) < ($1.element.time, $1.offset)
        }.map(\.element)
        self.duration = duration
        self.settles = random.chance(perMille: 700)
    }

    private static func link(from random: inout ChaosRandom, duration: Int) -> Link {
        var configuration = InMemoryLinkConfiguration()
        configuration.latency = .microseconds(random.pick([0, 1, 100, 1_000, 5_000, 30_000]))
        configuration.loss = random.chance(perMille: 500) ? 0 : Double(random.below(20)) / 100
        configuration.seed = random.next()
        configuration.packetSize = random.pick([100, 600, 1_200, 9_000])
        configuration.maximumDatagramSize = min(configuration.packetSize - 20, random.pick([0, 60, 1_100]))
        configuration.congestionWindow = random.pick([2, 16, 256]) << 10
        configuration.bytesPerSecond = random.chance(perMille: 700) ? nil : random.pick([200_000, 5_000_000])
        configuration.client = SessionKnobs.draw(from: &random)
        configuration.server = SessionKnobs.draw(from: &random)
        let client = PeerScript(
            from: &random,
            duration: duration,
            streamLimit: SessionKnobs.streamLimit(towards: configuration.server),
            closesPerMille: 150
        )
        let server = PeerScript(
            from: &random,
            duration: duration,
            streamLimit: SessionKnobs.streamLimit(towards: configuration.client),
            closesPerMille: 150
        )
        return Link(configuration: configuration, client: client, server: server)
    }
}
