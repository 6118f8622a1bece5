// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQPicoQuic
import MoQRelay
import MoQWire
import PacketLoop
import PicoQuic
import Testing

/// One relay on the loops of a server with several shards.
@Suite("A relay with shards", .tags(.network), .timeLimit(.minutes(1)))
struct ShardRelayTests {
    @Test("Shards that cannot be joined are the reason why the server does not start")
    func notJoined() async throws {
        var shared = MoQEndpointConfiguration(credentials: .selfSigned(try SelfSignedCertificate()))
        shared.quic.packetLoop = Stage.sharingLoop
        let server = MoQPicoQuicServer(
            configuration: shared,
            label: "alone",
            shards: 2
        ) { _ in { _, _ in nil } }
        let error = await #expect(throws: QUICError.self) {
            try await server.start(on: .loopback(port: 0)) { throw PacketLoopError.stopped }
        }
        #expect(error?.code == .systemFailure)
        #expect(error?.message == "\(PacketLoopError.stopped)")
        #expect(server.loops.allSatisfy { $0.isStopped })
        await server.stop()
    }

    @Test("Clients of every shard get what a client of one publishes, and each object crosses once to each other shard")
    func everyShard() async throws {
        let shardCount = 3
        let certificate = try SelfSignedCertificate()
        let collected = Locked<[LoopBound<MoQRelay>]>([])
        var shared = MoQEndpointConfiguration(credentials: .selfSigned(certificate))
        shared.quic.packetLoop = Stage.sharingLoop
        let server = MoQPicoQuicServer(
            configuration: shared,
            label: "sharded",
            shards: shardCount
        ) { loop in
            let relay = MoQRelay(loop: loop)
            let bound = LoopBound(relay, on: loop)
            collected.withLock { $0.append(bound) }
            return { transport, profile in relay.accept(transport, profile: profile) }
        }
        let listeners = try await server.start([.rawQUIC(.loopback(port: 0)), .inProcess]) {
            try await RelayShards.join(collected.withLock { $0 })
        }
        let address = try #require(listeners[0].address)
        let relays = collected.withLock { $0 }
        #expect(zip(relays, server.loops).allSatisfy { $0.loop === $1 })

        let plan = NumberedTrack.Plan(groupSize: 50, end: 1_000, endsTrack: true)
        let atPublisher = Journal()
        let publisher = try await MoQPicoQuicClient.connect(to: server, shard: 0) { _ in
            NumberedTrack(loop: server.loops[0], plan: plan, journal: atPublisher)
        }
        // At every shard one that is there for sure, and some that come to whichever the system chooses.
        var clients: [(client: MoQPicoQuicClient, journal: Journal)] = []
        for shard in 0..<shardCount {
            let journal = Journal()
            let client = try await MoQPicoQuicClient.connect(to: server, shard: shard) { _ in
                TestPeer(journal: journal)
            }
            clients.append((client, journal))
        }
        var configuration = MoQEndpointConfiguration()
        configuration.quic.verification = .pinned([certificate.fingerprint])
        for _ in 0..<3 {
            let journal = Journal()
            let url = try MoQURL("moqt://127.0.0.1:\(address.port)")
            let client = try await MoQPicoQuicClient.connect(to: url, configuration: configuration) { _ in
                TestPeer(journal: journal)
            }
            clients.append((client, journal))
        }
        for (client, journal) in clients {
            try await client.withSession { session in
                _ = session.subscribe(
                    SubscribeRequest(
                        track: NumberedTrack.name,
                        parameters: SubscriptionParameters(forward: true, rendezvousTimeout: 20_000)
                    ),
                    consumer: TestConsumer(journal: journal),
                    response: { _ in }
                )
            }
        }
        for (_, journal) in clients {
            await journal.wait { $0.trackEnds == 1 }
        }
        var counters = MoQRelayCounters()
        for relay in relays {
            counters.add(try await relay.loop.run { relay.value.counters })
        }
        // Who comes late misses the beginning; what there is of it crosses once for each shard.
        #expect(counters.objectsIn == plan.end)
        #expect(counters.objectsCrossed <= 2 * plan.end)
        #expect(counters.objectsCrossed > 0)
        #expect(counters.upstreamSubscribes == 1)
        #expect(counters.live.sessions == clients.count + 1)
        for (client, _) in clients {
            await client.close()
        }
        await publisher.close()
        for relay in relays {
            relay.loop.post { relay.value.close() }
        }
        await server.stop()
    }
}
