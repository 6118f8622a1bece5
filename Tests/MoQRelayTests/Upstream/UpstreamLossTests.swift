// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport

@Suite("Upstream relays that come and go", .timeLimit(.minutes(1)))
struct UpstreamLossTests {
    @Test("While it is away requests are refused, or wait if their subscriber does; then they go on")
    func away() throws {
        let network = RelayNetwork()
        let upper = network.relay()
        let lower = network.relay()
        let publisher = network.client(of: upper)
        _ = publisher.announce("live")
        let uplink = network.join(lower, to: upper)
        uplink.isReachable = false
        uplink.sever()
        network.settle()
        let client = network.client(of: lower)
        let impatient = client.subscribe("live", "one")
        let name = FullTrackName(namespace: TrackNamespace(path: "live"), name: "two")
        let patient = client.subscribe(name, parameters: SubscriptionParameters(rendezvousTimeout: 20_000))
        let fetched = client.fetch("live", through: .group(0))
        network.settle()
        #expect(impatient.refusal == .doesNotExist)
        #expect(patient.results.isEmpty)
        #expect(fetched.results.count == 1)
        uplink.isReachable = true
        network.advance(.seconds(10))
        #expect(uplink.readyCount == 2)
        #expect(patient.answer != nil)
        try #require(publisher.tracks.first).send(group: 0, count: 2)
        network.settle()
        #expect(patient.consumer.completeLocations.count == 2)
        network.closeAll()
    }

    @Test("When it vanishes, the subscribers of its tracks are told, and new ones are served when it is back")
    func vanished() throws {
        let network = RelayNetwork()
        let upper = network.relay()
        let lower = network.relay()
        let publisher = network.client(of: upper)
        _ = publisher.announce("live")
        let below = network.client(of: lower)
        _ = below.announce("below")
        let uplink = network.join(lower, to: upper)
        let client = network.client(of: lower)
        let before = client.subscribe("live")
        network.advance(.seconds(12))
        #expect(before.answer != nil)
        uplink.sever()
        network.advance(.milliseconds(10))
        #expect(before.consumer.ends.map(\.status) == [.internalError])
        #expect(lower.counters.live.tracks == 0)
        guard case .lost(_, let delay) = uplink.events.last else {
            Issue.record("the loss was not told")
            return
        }
        #expect(delay >= .milliseconds(250))
        #expect(delay <= .milliseconds(500))
        network.advance(.seconds(1))
        #expect(uplink.readyCount == 2)
        #expect(upper.counters.live.namespaces == 2, "it was told again of what is announced below")
        let after = client.subscribe("live")
        network.settle()
        #expect(after.answer != nil)
        try #require(publisher.tracks.last).send(group: 7, count: 3)
        network.settle()
        #expect(after.consumer.completeLocations.count == 3)
        #expect(lower.counters.upstreamConnects == 2)
        #expect(lower.counters.upstreamFailures == 1)
        network.closeAll()
    }

    @Test("It is tried for ever, at growing distances, one attempt at a time")
    func unreachable() {
        let network = RelayNetwork()
        let lower = network.relay()
        let backoff = ReconnectBackoff(first: .seconds(1), maximum: .seconds(8))
        let uplink = network.join(lower, to: nil, backoff: backoff)
        network.advance(.seconds(120))
        let attempts = uplink.attempts
        #expect((17...40).contains(attempts.count), "\(attempts.count)")
        let waits = zip(attempts, attempts.dropFirst()).map { $0.0.duration(to: $0.1) - .milliseconds(20) }
        for (number, wait) in waits.enumerated() {
            let bound = Duration.seconds(min(8, 1 << min(number, 3)))
            #expect(wait <= bound + .milliseconds(1))
            #expect(wait >= bound / 2)
        }
        #expect(Set(waits.suffix(8)).count > 1, "there is no jitter")
        #expect(uplink.failureCount == attempts.count)
        #expect(lower.counters.upstreamFailures == UInt64(attempts.count))
        network.closeAll()
    }

    @Test("A peer that closes during the setup, or never completes it, is tried again")
    func setup() {
        let network = RelayNetwork()
        let lower = network.relay()
        var isSilent = false
        let uplink = Uplink(loop: network.loop, profile: .draft18) { transport in
            if !isSilent {
                transport.close(code: 1, reason: "no")
            }
        }
        uplink.add(to: lower)
        network.advance(.seconds(2))
        #expect(uplink.failureCount >= 2)
        isSilent = true
        network.advance(.seconds(60))
        #expect(uplink.failureCount >= 4)
        #expect(uplink.readyCount == 0)
        network.closeAll()
    }

    @Test(
        "An upstream relay that goes away is left at once when nothing comes from it, and asked nothing new",
        arguments: [true, false]
    )
    func goaway(isIdle: Bool) throws {
        let network = RelayNetwork()
        let upper = network.relay()
        let lower = network.relay()
        let publisher = network.client(of: upper)
        _ = publisher.announce("live")
        let uplink = network.join(lower, to: upper)
        let client = network.client(of: lower)
        let subscribed = isIdle ? nil : client.subscribe("live")
        network.settle()
        upper.drain(timeout: .seconds(5))
        network.advance(.milliseconds(100))
        #expect((uplink.session?.isOpen == false) == isIdle)
        let refused = client.subscribe("live", "another")
        network.settle()
        #expect(refused.refusal == .doesNotExist)
        if let subscribed {
            try #require(publisher.tracks.first).send(group: 0, count: 2)
            network.settle()
            #expect(subscribed.consumer.completeLocations.count == 2)
        }
        network.closeAll()
    }

    @Test("A relay that is shut down leaves its upstream relay when its clients are gone, and does not come back")
    func drain() {
        let network = RelayNetwork()
        let upper = network.relay()
        let lower = network.relay()
        let uplink = network.join(lower, to: upper)
        let client = network.client(of: lower)
        var completions = 0
        lower.drain(timeout: .seconds(5)) { completions += 1 }
        network.settle()
        #expect(completions == 0)
        #expect(uplink.session?.isOpen == true)
        client.session.close()
        network.settle()
        #expect(completions == 1)
        #expect(uplink.session?.isOpen == false)
        #expect(upper.counters.live.sessions == 0)
        network.advance(.seconds(60))
        #expect(uplink.attempts.count == 1)
        #expect(completions == 1)
        network.closeAll()
    }

    @Test(
        "A relay with nothing but an upstream relay is shut down at once, also while it is trying",
        arguments: [true, false]
    )
    func drainAlone(isReachable: Bool) {
        let network = RelayNetwork()
        let upper = network.relay()
        let lower = network.relay()
        let uplink = network.join(lower, to: isReachable ? upper : nil)
        var completions = 0
        lower.drain(timeout: .seconds(5)) { completions += 1 }
        #expect(completions == 1)
        let attempts = uplink.attempts.count
        network.advance(.seconds(60))
        #expect(uplink.attempts.count == attempts)
        network.closeAll()
    }

    @Test("A connection that comes when it is not wanted any more is closed")
    func lateConnection() {
        let network = RelayNetwork()
        let upper = network.relay()
        let lower = network.relay()
        let uplink = Uplink(loop: network.loop, profile: .draft18) { upper.accept($0, profile: .draft18) }
        uplink.add(to: lower)
        lower.close()
        network.settle()
        #expect(uplink.attempts.count == 1)
        #expect(uplink.session == nil)
        #expect(upper.counters.live.sessions == 0)
        network.closeAll()
    }
}
