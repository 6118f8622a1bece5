// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Relays in a ring", .timeLimit(.minutes(1)))
struct RelayRingTests {
    private static let name = FullTrackName(namespace: TrackNamespace(path: "no/such"), name: "track")

    @Test("A relay does not use itself as its upstream relay", arguments: DraftProfile.all)
    func alone(_ profile: DraftProfile) {
        let network = RelayNetwork()
        let relay = network.relay()
        let uplink = network.join(relay, to: relay, profile)
        #expect(uplink.readyCount == 0)
        #expect(uplink.circularCount == 1)
        #expect(uplink.failureCount == 0)
        self.checkRefusals(at: [relay], of: network)
        network.closeAll()
    }

    @Test("The connection that would close a ring is not used, however long the ring is", arguments: [2, 3, 5])
    func ring(count: Int) {
        let network = RelayNetwork()
        let relays = (0..<count).map { _ in network.relay() }
        let uplinks = (0..<count).map { network.join(relays[$0], to: relays[($0 + 1) % count]) }
        #expect(uplinks.dropLast().allSatisfy { $0.readyCount == 1 && $0.events.count == 1 })
        #expect(uplinks[count - 1].readyCount == 0)
        #expect(uplinks[count - 1].circularCount == 1)
        #expect(uplinks[count - 1].failureCount == 0)
        #expect(relays[count - 1].counters.upstreamLoops == 1)
        self.checkRefusals(at: relays, of: network)
        // What is left of the ring works.
        let publisher = network.client(of: relays[count - 1])
        _ = publisher.announce("live")
        let subscribed = network.client(of: relays[0]).subscribe("live")
        network.settle()
        #expect(subscribed.answer != nil)
        network.closeAll()
    }

    @Test("Relays that close a ring in the same moment never send a request round", arguments: [2, 4])
    func atOnce(count: Int) {
        let network = RelayNetwork()
        let relays = (0..<count).map { _ in network.relay() }
        for index in relays.indices {
            let uplink = Uplink(loop: network.loop, profile: .draft18) {
                [unowned above = relays[(index + 1) % count]] in
                above.accept($0, profile: .draft18)
            }
            uplink.add(to: relays[index])
        }
        for _ in 0..<20 {
            network.advance(.seconds(5))
            self.checkRefusals(at: relays, of: network)
        }
        #expect(relays.map(\.counters.upstreamLoops).reduce(0, +) > 0)
        network.closeAll()
    }

    @Test("When a ring is opened, the relay that refused it gets its upstream relay back")
    func opened() {
        let network = RelayNetwork()
        let lower = network.relay()
        let upper = network.relay()
        let wrong = network.join(upper, to: lower)
        let right = network.join(lower, to: upper)
        #expect(right.readyCount == 0)
        #expect(right.circularCount == 1)
        #expect(right.failureCount == 0)
        wrong.isReachable = false
        wrong.sever()
        network.advance(.seconds(31))
        #expect(right.readyCount == 1)
        #expect(right.circularCount == 1)
        #expect(right.failureCount == 0)
        network.closeAll()
    }

    @Test("A ring over a relay that closes it unnoticed holds each question once, until its time is over")
    func foreign() {
        let network = RelayNetwork()
        let relay = network.relay()
        let foreign = ForeignRelay(loop: network.loop)
        let uplink = Uplink(loop: network.loop, profile: .draft18) { foreign.accept($0) }
        uplink.add(to: relay)
        network.settle()
        #expect(uplink.readyCount == 1)
        #expect(uplink.circularCount == 0)
        #expect(uplink.failureCount == 0)
        foreign.ask(relay)
        network.settle()
        let client = network.client(of: relay)
        let subscribed = client.subscribe(Self.name)
        var statuses: [RequestErrorCode?] = []
        client.session.trackStatus(of: Self.name) { result in
            guard case .failure(let error) = result else {
                return
            }
            statuses.append(error.requestError)
        }
        let fetched = client.fetch("no/such", through: .group(0))
        network.advance(.seconds(9))
        #expect(foreign.requestCount == 3, "one of each kind")
        #expect(relay.counters.live.tracks == 1)
        network.advance(.seconds(3))
        #expect(subscribed.refusal == .timeout)
        #expect(statuses == [.timeout])
        #expect(fetched.results.count == 1)
        #expect(foreign.requestCount == 3)
        #expect(relay.counters.live.tracks == 0)
        #expect(relay.counters.live.upstreamFetches == 0)
        foreign.close()
        network.closeAll()
    }

    /// Asks every relay for what nobody has: the answer comes promptly, and nothing is left.
    private func checkRefusals(
        at relays: [MoQRelay],
        of network: RelayNetwork,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let before = relays.map(\.counters.upstreamSubscribes).reduce(0, +)
        for relay in relays {
            let client = network.client(of: relay)
            let subscribed = client.subscribe(Self.name)
            let fetched = client.fetch("no/such", through: .group(0))
            var statuses = 0
            client.session.trackStatus(of: Self.name) { _ in statuses += 1 }
            network.settle()
            #expect(subscribed.refusal == .doesNotExist, sourceLocation: sourceLocation)
            #expect(fetched.results.count == 1, sourceLocation: sourceLocation)
            #expect(statuses == 1, sourceLocation: sourceLocation)
            client.session.close()
        }
        network.settle()
        let asked = relays.map(\.counters.upstreamSubscribes).reduce(0, +) - before
        #expect(asked < UInt64(relays.count * relays.count * 3), sourceLocation: sourceLocation)
        network.awaitSearches()
        #expect(relays.allSatisfy { $0.counters.live.tracks == 0 }, sourceLocation: sourceLocation)
        #expect(relays.allSatisfy { $0.counters.live.fetches == 0 }, sourceLocation: sourceLocation)
    }
}

/// A relay of another make: it passes on every request, on the one session that it has of its own, and knows nothing of
/// rings.
private final class ForeignRelay: MoQSessionHandler {
    private(set) var requestCount = 0
    private let loop: PacketLoop
    private var below: MoQSession?
    private var above: MoQSession?
    private var link: InMemoryLink?
    private var held: [AnyObject] = []

    init(loop: PacketLoop) {
        self.loop = loop
    }

    /// A relay connects.
    func accept(_ transport: any WebTransportSession) {
        let session = MoQSession(transport: transport, loop: self.loop, profile: .draft18, handler: self)
        self.below = session
        session.start()
    }

    /// From now on everything is asked of this relay.
    func ask(_ relay: MoQRelay) {
        let link = InMemoryLink(loop: self.loop, configuration: InMemoryLinkConfiguration())
        self.link = link
        _ = relay.accept(link.server, profile: .draft18)
        let session = MoQSession(transport: link.client, loop: self.loop, profile: .draft18, handler: self)
        self.above = session
        session.start()
    }

    func close() {
        self.below?.close()
        self.above?.close()
        self.held = []
    }

    func sessionDidSetUp(_ session: MoQSession) {}

    func session(_ session: MoQSession, didReceive request: IncomingSubscribe) {
        guard let above = self.above else {
            request.reject(.doesNotExist)
            return
        }
        self.requestCount += 1
        self.held.append(request)
        above.subscribe(SubscribeRequest(track: request.track), consumer: RecordingConsumer()) { result in
            if case .failure(let error) = result {
                request.reject(error.requestError ?? .internalError)
            }
        }
    }

    func session(_ session: MoQSession, didReceive request: IncomingFetch) {
        guard let above = self.above else {
            request.reject(.doesNotExist)
            return
        }
        self.requestCount += 1
        let wanted = FetchRequest(track: request.track, from: request.start, through: request.end)
        above.fetch(wanted, consumer: Fetched()) { result in
            if case .failure(let error) = result {
                request.reject(error.requestError ?? .internalError)
            }
        }
    }

    func session(_ session: MoQSession, didReceive request: IncomingTrackStatus) {
        guard let above = self.above else {
            request.reject(.doesNotExist)
            return
        }
        self.requestCount += 1
        above.trackStatus(of: request.track) { result in
            if case .failure(let error) = result {
                request.reject(error.requestError ?? .internalError)
            }
        }
    }

    func session(_ session: MoQSession, didReceive request: IncomingPublish) {
        request.reject(.uninterested)
    }

    func session(_ session: MoQSession, didReceive request: IncomingPublishNamespace) {
        request.reject(.uninterested)
    }

    func session(_ session: MoQSession, didReceive request: IncomingSubscribeNamespace) {
        request.reject(.notSupported)
    }

    func session(_ session: MoQSession, didReceiveGoaway uri: String?, timeout: Duration?) {}

    func session(_ session: MoQSession, didClose closure: MoQSessionClosure) {}
}
