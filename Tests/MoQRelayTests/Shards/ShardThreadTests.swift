// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import TestSupport
import Testing
import WebTransport
import WebTransportInMemory

@testable import MoQRelay

/// Shards with threads of their own.
@Suite("Shards on threads", .timeLimit(.minutes(1)))
struct ShardThreadTests {
    /// One shard: a relay on a thread, and clients on the same.
    private final class Site {
        let relay: MoQRelay
        var clients: [TestClient] = []
        var subscribed: [Subscribed] = []

        init(on loop: PacketLoop) {
            self.relay = MoQRelay(loop: loop)
        }

        func connect() -> TestClient {
            let link = InMemoryLink(loop: self.relay.loop)
            let client = TestClient(
                transport: link.client,
                loop: self.relay.loop,
                profile: .draft18,
                configuration: MoQSessionConfiguration(),
                link: link
            )
            self.clients.append(client)
            self.relay.accept(link.server, profile: .draft18)
            client.session.start()
            return client
        }
    }

    /// Looks again and again until something is so.
    private static func wait<Value>(
        _ bound: LoopBound<Value>,
        for what: String,
        _ condition: @escaping @Sendable (Value) -> Bool
    ) async throws {
        let end = ContinuousClock.now + .seconds(20) * TestBuild.patience
        while try await !bound.loop.run({ condition(bound.value) }) {
            try #require(ContinuousClock.now < end, "did not happen: \(what)")
            // A look costs a hop to the loop and back, and is not what the test waits with.
            await Task.yield()
        }
    }

    @Test("Objects cross between threads, whole and in order, and many at a time")
    func objects() async throws {
        let groups: UInt64 = 10
        let perGroup = 50
        let threads = [LoopThread(label: "shard-0"), LoopThread(label: "shard-1")]
        var sites: [LoopBound<Site>] = []
        for thread in threads {
            let loop = thread.loop
            sites.append(try await loop.run { LoopBound(Site(on: loop), on: loop) })
        }
        var relays: [LoopBound<MoQRelay>] = []
        for site in sites {
            relays.append(try await site.loop.run { LoopBound(site.value.relay, on: site.loop) })
        }
        try await RelayShards.join(relays)
        let (first, second) = (sites[0], sites[1])
        try await first.loop.run { _ = first.value.connect().announce("live") }
        try await Self.wait(second, for: "the other shard knows the namespace") { !$0.relay.announcements.isEmpty }
        try await second.loop.run {
            for _ in 0..<3 {
                second.value.subscribed.append(second.value.connect().subscribe("live"))
            }
        }
        try await Self.wait(second, for: "the answers") { $0.subscribed.allSatisfy { $0.answer != nil } }
        let before = second.loop.counters.posts
        try await first.loop.run {
            for group in 0..<groups {
                first.value.clients[0].tracks[0].send(group: group, count: perGroup, size: 1_000)
            }
        }
        let total = Int(groups) * perGroup
        try await Self.wait(second, for: "all objects") { site in
            site.subscribed.allSatisfy { $0.consumer.completeLocations.count == total }
        }
        // Besides the looks of this test, each post is what one phase of the other loop brought.
        let crossed = try await first.loop.run { first.value.relay.counters.objectsCrossed }
        #expect(crossed == UInt64(total))
        let batches = try await first.loop.run {
            first.value.relay.siblings[0].peer?.session.transport.statistics.path?.packetsSent ?? 0
        }
        #expect(batches > 0)
        #expect(batches < UInt64(total) / 2, "\(batches) batches for \(total) objects")
        #expect(second.loop.counters.posts > before)
        try await second.loop.run {
            for one in second.value.subscribed {
                #expect(one.consumer.completeLocations.count == total)
                for object in one.consumer.objects
                where object.payload.first != UInt8(truncatingIfNeeded: object.object) {
                    Issue.record("object \(object.location) has another one's payload")
                }
            }
        }
        for site in sites {
            try await site.loop.run { site.value.relay.close() }
        }
        for site in sites {
            try await Self.wait(site, for: "the end of all sessions") { site in
                site.relay.peers.isEmpty && site.clients.allSatisfy(\.isClosed)
            }
            try await site.loop.run {
                site.value.clients = []
                site.value.subscribed = []
            }
        }
        sites = []
        relays = []
        for thread in threads {
            thread.stop()
        }
    }

    @Test(
        "A shard whose thread ends is noticed by the others",
        .disabled(if: TestBuild.findsLeaks, "nobody can take apart what such a thread leaves behind")
    )
    func threadEnds() async throws {
        let threads = [LoopThread(label: "shard-0"), LoopThread(label: "shard-1")]
        var relays: [LoopBound<MoQRelay>] = []
        for thread in threads {
            let loop = thread.loop
            relays.append(try await loop.run { LoopBound(MoQRelay(loop: loop), on: loop) })
        }
        try await RelayShards.join(relays)
        let (first, second) = (relays[0], relays[1])
        let lost = AsyncStream<String>.makeStream()
        try await first.loop.run {
            first.value.onShardLost = { lost.continuation.yield($0) }
        }
        threads[1].stop()
        // Whoever says something next finds that nobody is there.
        try await first.loop.run {
            first.value.siblings[0].announce(TrackNamespace(path: "live"))
        }
        var iterator = lost.stream.makeAsyncIterator()
        #expect(await iterator.next() != nil)
        try await first.loop.run { first.value.close() }
        threads[0].stop()
        _ = second
    }
}
