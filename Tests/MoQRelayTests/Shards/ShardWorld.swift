// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@testable import MoQRelay

/// One relay of several shards, each on a loop of its own, and its clients, on simulated links, in virtual time on the test's
/// thread, which stands on all loops in turn.
final class ShardWorld {
    let drivers: [ManualLoopDriver]
    let relays: [MoQRelay]
    private var clients: [TestClient] = []
    /// Why shards said that they lost another one.
    private(set) var losses: [String] = []

    init(
        _ count: Int = 2,
        _ configuration: MoQRelayConfiguration = MoQRelayConfiguration(),
        gateway: Int? = nil
    ) {
        self.drivers = (0..<count).map {
            ManualLoopDriver(loop: ManualLoopDriver.makeLoop(label: "shard \($0)"))
        }
        self.relays = self.drivers.map { MoQRelay(loop: $0.loop, configuration: configuration) }
        for relay in self.relays {
            relay.onShardLost = { [weak self] in self?.losses.append($0) }
        }
        let shards = self.relays.enumerated().map { index, relay in
            RelayShards.Shard(
                relay: LoopBound(relay, on: relay.loop),
                index: index,
                isGateway: index == gateway
            )
        }
        for first in shards {
            for second in shards.dropFirst(first.index + 1) {
                let bridge = LoopBridge(configuration: RelayShards.bridgeConfiguration)
                let near = RelayShards.makeEnd(.client, of: bridge, at: first)
                let far = RelayShards.makeEnd(.server, of: bridge, at: second)
                RelayShards.connect(first, at: near, to: second, at: far) { _ in }
                RelayShards.connect(second, at: far, to: first, at: near) { _ in }
            }
        }
        self.settle()
    }

    /// What all shards count together.
    var counters: MoQRelayCounters {
        var sum = MoQRelayCounters()
        for relay in self.relays {
            sum.add(relay.counters)
        }
        return sum
    }

    var live: MoQRelayCounters.Live {
        self.counters.live
    }

    /// Connects a client to a shard and completes the setup.
    func connect(
        _ shard: Int,
        _ profile: DraftProfile = .draft18,
        link configuration: InMemoryLinkConfiguration = InMemoryLinkConfiguration(),
        session: MoQSessionConfiguration = MoQSessionConfiguration()
    ) -> TestClient {
        let loop = self.drivers[shard].loop
        let link = InMemoryLink(loop: loop, configuration: configuration)
        let client = TestClient(
            transport: link.client,
            loop: loop,
            profile: profile,
            configuration: session,
            link: link
        )
        self.clients.append(client)
        self.relays[shard].accept(link.server, profile: profile)
        client.session.start()
        self.settle()
        return client
    }

    /// Closes a client.
    func disconnect(_ client: TestClient) {
        client.session.close(.noError, reason: "")
        self.settle()
    }

    /// Lets a quarter of a second pass: several round trips on every link of the tests.
    func settle() {
        self.advance(.milliseconds(250))
    }

    /// Lets time pass, for all loops in steps that are less than the way of a packet.
    func advance(_ duration: Duration) {
        let step = Duration.milliseconds(5)
        var rest = duration
        while rest > .zero {
            self.runUntilIdle()
            for driver in self.drivers {
                driver.advance(by: min(step, rest))
            }
            rest -= step
        }
        self.runUntilIdle()
    }

    /// Lets no time pass.
    func runUntilIdle() {
        repeat {
            for driver in self.drivers {
                driver.runUntilIdle()
            }
        } while self.drivers.contains { $0.loop.hasWork }
    }

    /// Closes all clients, checks that nothing is left of them at any shard, and then closes the shards.
    func closeAll(sourceLocation: SourceLocation = #_sourceLocation) {
        for client in self.clients {
            client.session.close(.noError, reason: "")
        }
        self.advance(.seconds(1))
        #expect(self.live == MoQRelayCounters.Live(), sourceLocation: sourceLocation)
        for relay in self.relays {
            #expect(relay.tracks.isEmpty, sourceLocation: sourceLocation)
            #expect(relay.announcements.isEmpty, sourceLocation: sourceLocation)
            #expect(relay.fills.isEmpty, sourceLocation: sourceLocation)
            #expect(relay.peers.values.allSatisfy { $0.isSibling && $0.isIdle }, sourceLocation: sourceLocation)
        }
        #expect(self.losses.isEmpty, sourceLocation: sourceLocation)
        self.close()
        for (relay, driver) in zip(self.relays, self.drivers) {
            #expect(relay.peers.isEmpty, sourceLocation: sourceLocation)
            #expect(relay.counters.cachedBytes == 0, sourceLocation: sourceLocation)
            #expect(driver.loop.counters.liveTimers == 0, sourceLocation: sourceLocation)
        }
    }

    /// Closes all clients, and all shards.
    func close() {
        for client in self.clients {
            client.session.close(.noError, reason: "")
        }
        for relay in self.relays {
            relay.onShardLost = nil
            relay.close()
        }
        self.settle()
    }
}
