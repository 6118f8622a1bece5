// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import MoQ
import MoQPicoQuic
import MoQWire
import PacketLoop
import PicoQuic
import Testing

@Suite("The loops of a server", .tags(.network), .timeLimit(.minutes(2)))
struct ShardTests {
    @Test("A server with one shard has exactly one thread, one with three has three")
    func threads() async throws {
        let one = try await Stage(label: "single")
        #expect(LoopThreads.named("single") == ["single"])
        #expect(one.server.loops.count == 1)
        await one.server.stop()
        #expect(LoopThreads.named("single").isEmpty)
        let three = try await Stage(label: "a-long-label-for-three", shards: 3)
        #expect(LoopThreads.named("a-long") == ["a-long-labe-0", "a-long-labe-1", "a-long-labe-2"])
        await three.server.stop()
        #expect(LoopThreads.named("a-long").isEmpty)
    }

    @Test(
        "Three shards at one port share the clients, serve all of them, and all end together",
        arguments: [(isAnyAddress: false, asksKernel: true), (true, true), (false, false)]
    )
    func spread(isAnyAddress: Bool, asksKernel: Bool) async throws {
        let clientCount = 24
        let byLoop = Locked<[String: Int]>([:])
        let acceptors = Locked<[String]>([])
        let certificate = try SelfSignedCertificate()
        let server = MoQPicoQuicServer(
            configuration: Self.configuration(certificate),
            label: "spread",
            shards: 3,
            asksKernel: asksKernel
        ) { loop in
            loop.preconditionOnLoop()
            acceptors.withLock { $0.append(loop.label) }
            return { transport, profile in
                loop.preconditionOnLoop()
                byLoop.withLock { $0[loop.label, default: 0] += 1 }
                let handler = TestPeer(journal: Journal())
                let session = MoQSession(transport: transport, loop: loop, profile: profile, handler: handler)
                session.start()
                return session
            }
        }
        let address = try await server.start(on: isAnyAddress ? .any(port: 0) : .loopback(port: 0))
        #expect(address.port != 0)
        #expect(acceptors.withLock { $0 } == ["spread-0", "spread-1", "spread-2"])
        var configuration = MoQEndpointConfiguration()
        configuration.quic.verification = .pinned([certificate.fingerprint])
        let url = try MoQURL("moqt://\(isAnyAddress ? "[::1]" : "127.0.0.1"):\(address.port)")
        let journal = Journal()
        var clients: [MoQPicoQuicClient] = []
        for _ in 0..<clientCount {
            let client = try await MoQPicoQuicClient.connect(to: url, configuration: configuration) { _ in
                TestPeer(journal: journal)
            }
            try await Stage.subscribe(client, journal: journal)
            clients.append(client)
        }
        await journal.wait { $0.trackEnds == clientCount }
        #expect(journal.facts.payloads == Array(repeating: TestPeer.payload, count: clientCount))
        let counts = byLoop.withLock { $0 }
        #expect(counts.count > 1, "all clients came to one shard")
        #expect(counts.values.reduce(0, +) == clientCount)
        #expect(await server.connectionCounts() == (live: clientCount, total: UInt64(clientCount)))
        let statistics = await server.statistics()
        #expect(statistics.sessionsLive == clientCount)
        #expect(statistics.quic.connectionsCreated == UInt64(clientCount))
        #expect(asksKernel || statistics.quic.packetsForwarded > 0)
        #expect(statistics.quic.packetsNotForwarded == 0)
        let each = await server.shardStatistics()
        #expect(each.map(\.sessionsLive) == (0..<3).map { counts["spread-\($0)"] ?? 0 })
        let start = ContinuousClock.now
        await server.stop(reason: "closing time")
        await journal.wait { $0.closures.count == clientCount }
        #expect(ContinuousClock.now - start < .seconds(1))
        #expect(journal.facts.closures.allSatisfy { $0.origin == .peer && $0.reason == "closing time" })
        #expect(await server.connectionCounts().live == 0)
        #expect(await server.statistics().sessionsEnded == UInt64(clientCount))
        for client in clients {
            await client.close()
        }
    }

    /// A server's, with a loop that can share its port.
    private static func configuration(_ certificate: SelfSignedCertificate) -> MoQEndpointConfiguration {
        var configuration = MoQEndpointConfiguration(credentials: .selfSigned(certificate))
        configuration.quic.packetLoop = Stage.sharingLoop
        return configuration
    }

    @Test("A number of shards that cannot be is an error that names the limit", arguments: [-1, 0, 9])
    func limit(shards: Int) async throws {
        let server = MoQPicoQuicServer(
            configuration: Self.configuration(try SelfSignedCertificate()),
            label: "many",
            shards: shards
        ) { _ in { _, _ in nil } }
        let error = await #expect(throws: QUICError.self) { try await server.start(on: .loopback(port: 0)) }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message == "a server has 1 to 8 shards, not \(shards)")
        #expect((1...MoQPicoQuicServer.mostShards).contains(MoQPicoQuicServer.usualShards(for: .epoll)))
        await server.stop()
    }

    @Test("The loop of picoquic cannot share its port, and the server says so; in one process it need not")
    func picoquicLoop() async throws {
        var configuration = MoQEndpointConfiguration(credentials: .selfSigned(try SelfSignedCertificate()))
        configuration.quic.packetLoop = .picoquic
        let server = MoQPicoQuicServer(configuration: configuration, shards: 2) { _ in { _, _ in nil } }
        let error = await #expect(throws: QUICError.self) { try await server.start(on: .loopback(port: 0)) }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message.contains("not 'picoquic'") == true)
        #expect(MoQPicoQuicServer.usualShards(for: .picoquic) == 1)
        try await server.start([.inProcess])
        await server.stop()
    }

    @Test("A client that comes back to another shard resumes, and sends early data")
    func resumption() async throws {
        let homes = Locked<[String]>([])
        let acceptor: @Sendable (PacketLoop) -> MoQPicoQuicServer.Acceptor = { loop in
            { transport, profile in
                homes.withLock { $0.append(loop.label) }
                let handler = TestPeer(journal: Journal())
                let session = MoQSession(transport: transport, loop: loop, profile: profile, handler: handler)
                session.start()
                return session
            }
        }
        let stage = try await Stage(label: "home", shards: 2, makeAcceptor: acceptor)
        let store = QUICTicketStore()
        var configuration = stage.configuration()
        configuration.quic.ticketStore = store
        var visits = 0
        while Set(homes.withLock { $0 }).count < 2, visits < 30 {
            let client = try await MoQPicoQuicClient.connect(
                to: MoQURL(stage.url),
                configuration: configuration
            ) { _ in TestPeer(journal: Journal()) }
            visits += 1
            let isBack = visits > 1
            #expect(client.isResumed == isBack)
            #expect((client.earlyData == .accepted) == isBack)
            let end = ContinuousClock.now.advanced(by: .seconds(20))
            while store.ticketCount == 0, ContinuousClock.now < end {
                await Task.yield()
            }
            await client.close()
        }
        #expect(visits < 30, "all clients came to one shard")
        await stage.server.stop()
    }

    @Test("A server connects to another from the shard that it is told")
    func outgoing() async throws {
        let far = try await Stage()
        let stage = try await Stage(label: "near", shards: 2, adjust: { $0.verification = .insecure })
        let journal = Journal()
        let url = try MoQURL(far.url)
        for (index, loop) in stage.server.loops.enumerated() {
            try await stage.server.connect(to: url, shard: index) { transport, profile in
                loop.preconditionOnLoop()
                let session = MoQSession(
                    transport: transport,
                    loop: loop,
                    profile: profile,
                    handler: TestPeer(journal: journal)
                )
                session.start()
                return session
            }
            await journal.wait { $0.setups == index + 1 }
            #expect(
                await stage.server.shardStatistics().map(\.quic.connectionsLive) == (index == 0 ? [1, 0] : [1, 1])
            )
        }
        let error = await #expect(throws: QUICError.self) {
            try await stage.server.connect(to: url, shard: 2) { _, _ in nil }
        }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message == "the server has no shard 2, but 2")
        await stage.server.stop()
        await far.server.stop()
    }

    @Test("Clients of the process choose the shard")
    func inProcess() async throws {
        let stage = try await Stage(backend: .inProcess, label: "local", shards: 2)
        for (index, loop) in stage.server.loops.enumerated() {
            let journal = Journal()
            let client = try await MoQPicoQuicClient.connect(to: stage.server, shard: index) { _ in
                TestPeer(journal: journal)
            }
            #expect(client.loop === loop)
            try await Stage.subscribe(client, journal: journal)
            await journal.wait { $0.trackEnds == 1 }
            await client.close()
        }
        await stage.server.stop()
    }

    @Test("Shards share their port with each other and with nobody else")
    func portInUse() async throws {
        let first = try await Stage(label: "first", shards: 2)
        let second = MoQPicoQuicServer(
            configuration: Self.configuration(first.certificate),
            label: "second",
            shards: 2
        ) { _ in { _, _ in nil } }
        let error = await #expect(throws: QUICError.self) { try await second.start(on: first.address) }
        #expect(error?.code == .addressInUse)
        #expect(LoopThreads.named("second").isEmpty)
        await second.stop()
        await first.server.stop()
    }

    #if os(Linux)
    @Test("A shard that cannot start takes those that did down with it")
    func failedShard() async {
        // In a process of its own, because its limit of open files is lowered.
        await #expect(processExitsWith: .success) {
            func open() throws -> Int {
                try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
            }
            /// The limit, which is one of numbers, that leaves so many descriptors to be opened.
            func limit(leaving spare: Int) throws -> Int {
                let names = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
                let used = Set(names.compactMap { Int($0) })
                var limit = 0
                var free = 0
                while free < spare || used.contains(limit) {
                    free += used.contains(limit) ? 0 : 1
                    limit += 1
                }
                return limit
            }
            func limit(to count: Int) {
                var limits = rlimit()
                unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits)
                limits.rlim_cur = rlim_t(count)
                unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits)
            }
            let certificate = try SelfSignedCertificate()
            func makeServer() -> MoQPicoQuicServer {
                MoQPicoQuicServer(
                    configuration: ShardTests.configuration(certificate),
                    label: "undone",
                    shards: 3
                ) { _ in { _, _ in nil } }
            }
            // Whatever is opened once and kept is open after the first round.
            let warm = makeServer()
            try await warm.start(on: .loopback(port: 0))
            await warm.stop()
            let before = try open()
            var failures = 0
            var named = 0
            var hasStarted = false
            for spare in 0..<40 where !hasStarted {
                let server = makeServer()
                limit(to: try limit(leaving: spare))
                var complaint = "none"
                do throws(QUICError) {
                    try await server.start(on: .loopback(port: 0))
                    hasStarted = true
                } catch {
                    failures += 1
                    complaint = error.message
                }
                limit(to: 1_024)
                if !hasStarted {
                    #expect(!complaint.isEmpty)
                    named += complaint.contains("loop 2 of 3 at 127.0.0.1:") ? 1 : 0
                    #expect(LoopThreads.named("undone").isEmpty, "with \(spare) descriptors left")
                    let now = try open()
                    #expect(now == before, "with \(spare) descriptors left")
                }
                await server.stop()
                #expect(LoopThreads.named("undone").isEmpty, "with \(spare) descriptors left")
                let now = try open()
                #expect(now == before, "with \(spare) descriptors left")
            }
            #expect(hasStarted)
            #expect(failures > 3, "\(failures)")
            #expect(named > 0)
        }
    }
    #endif
}
