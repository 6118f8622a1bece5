// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQPicoQuic
import MoQWire
import PacketLoop
import PicoQuic
import TestSupport
import Testing
import WebTransport

extension Tag {
    /// Uses real sockets on the loopback interface.
    @Tag static var network: Self
}

@Suite("MoQ endpoints, over each backend", .tags(.network), .timeLimit(.minutes(2)))
struct EndpointTests {
    @Test(
        "A track arrives on each draft, and the server knows what was asked for",
        arguments: DraftProfile.all,
        Backend.allCases
    )
    func track(profile: DraftProfile, backend: Backend) async throws {
        let stage = try await Stage(backend: backend)
        let journal = Journal()
        let client = try await stage.connect(drafts: [profile.version], path: "/live?token=1", journal: journal)
        #expect(client.draft == profile.version)
        try await Stage.subscribe(client, journal: journal)
        await journal.wait { $0.trackEnds == 1 }
        #expect(journal.facts.payloads == [TestPeer.payload])
        await stage.atServer.wait { $0.setups == 1 }
        #expect(stage.atServer.facts.drafts == [profile.version])
        #expect(stage.atServer.facts.paths == ["/live?token=1"])
        #expect(stage.atServer.facts.authorities == [stage.authority])
        await client.close()
        await stage.atServer.wait { $0.closures.count == 1 }
        #expect(stage.atServer.facts.closures.first?.isClean == true)
        await stage.server.stop()
    }

    @Test("The server's order of drafts decides", arguments: Backend.allCases)
    func preference(backend: Backend) async throws {
        for order in [[DraftVersion.draft18, .draft16], [.draft16, .draft18], [.draft14, .draft18]] {
            let stage = try await Stage(drafts: order, backend: backend)
            let client = try await stage.connect(journal: Journal())
            #expect(client.draft == order.first)
            await client.close()
            await stage.server.stop()
        }
    }

    @Test("No common draft is an error that names the drafts", arguments: Backend.allCases)
    func noCommonDraft(backend: Backend) async throws {
        let stage = try await Stage(drafts: [.draft18], backend: backend)
        let error = await #expect(throws: QUICError.self) {
            _ = try await stage.connect(drafts: [.draft16], journal: Journal())
        }
        #expect(error?.code == .noCommonProtocol)
        #expect(error?.message.contains("no common draft") == true)
        #expect(error?.message.contains("draft-16") == true)
        await stage.server.stop()
    }

    @Test("A code that one side closes with arrives at the other", arguments: Backend.allCases)
    func closeCodes(backend: Backend) async throws {
        let stage = try await Stage(backend: backend)
        let journal = Journal()
        let leaving = try await stage.connect(journal: journal)
        let staying = try await stage.connect(journal: journal)
        await stage.atServer.wait { $0.setups == 2 }
        await leaving.close(code: .protocolViolation, reason: "enough")
        await stage.atServer.wait { $0.closures.count == 1 }
        let atServer = try #require(stage.atServer.facts.closures.first)
        #expect(atServer.origin == .peer && atServer.code == .protocolViolation && atServer.reason == "enough")
        await stage.server.stop(code: .internalError, reason: "sorry")
        await journal.wait { $0.closures.count == 2 }
        let atClient = try #require(journal.facts.closures.last)
        #expect(atClient.origin == .peer && atClient.code == .internalError && atClient.reason == "sorry")
        await staying.close()
    }

    @Test("No common draft, a certificate that is not trusted, and nobody there are different errors, all in time")
    func errors() async throws {
        let stage = try await Stage(drafts: [.draft18])
        let start = ContinuousClock.now
        let noDraft = await #expect(throws: QUICError.self) {
            _ = try await stage.connect(drafts: [.draft16], journal: Journal())
        }
        #expect(noDraft?.code == .noCommonProtocol)
        let untrusted = await #expect(throws: QUICError.self) {
            _ = try await stage.connect(verification: .systemRoots, journal: Journal())
        }
        #expect(untrusted?.code == .certificateRejected)
        await stage.server.stop()
        #expect(ContinuousClock.now - start < .seconds(5))
        let again = ContinuousClock.now
        let nobody = await #expect(throws: QUICError.self) { _ = try await stage.connect(journal: Journal()) }
        #expect(nobody?.code == .unreachable)
        #expect(ContinuousClock.now - again < .seconds(5))
    }

    @Test("A configuration that cannot work is refused before anything is opened")
    func configuration() async throws {
        let server = MoQPicoQuicServer(configuration: MoQEndpointConfiguration()) { _ in { _, _ in nil } }
        let error = await #expect(throws: QUICError.self) { try await server.start(on: .loopback(port: 0)) }
        #expect(error?.message.contains("certificate") == true)
        let nowhere = await #expect(throws: QUICError.self) { try await server.start([]) }
        #expect(nowhere?.message.contains("listener") == true)
        let twice = [MoQListener.rawQUIC(.loopback(port: 0)), .rawQUIC(.any(port: 0))]
        let torn = await #expect(throws: QUICError.self) { try await server.start(twice) }
        #expect(torn?.message.contains("one address") == true)
        #expect(throws: QUICError.self) { try MoQEndpointConfiguration(drafts: []).validate() }
        await server.stop()
    }

    @Test("stop() tells every client within a second", arguments: Backend.allCases)
    func stop(backend: Backend) async throws {
        let stage = try await Stage(backend: backend)
        let journal = Journal()
        var clients: [MoQPicoQuicClient] = []
        for _ in 0..<8 {
            clients.append(try await stage.connect(journal: journal))
        }
        await journal.wait { $0.setups == 8 }
        let start = ContinuousClock.now
        await stage.server.stop(reason: "closing time")
        await journal.wait { $0.closures.count == 8 }
        #expect(ContinuousClock.now - start < .seconds(1))
        #expect(journal.facts.closures.allSatisfy { $0.origin == .peer && $0.reason == "closing time" })
        for client in clients {
            await client.close()
        }
        await stage.server.stop()
    }

    @Test(
        "drain() sends GOAWAY and ends when the clients have left; it does not wait for ever for one that stays",
        arguments: Backend.allCases
    )
    func drain(backend: Backend) async throws {
        let polite = try await Stage(backend: backend)
        let journal = Journal()
        let first = try await polite.connect(journal: journal)
        let second = try await polite.connect(journal: journal)
        await journal.wait { $0.setups == 2 }
        await polite.atServer.wait { $0.setups == 2 }
        #expect(await polite.server.drain(timeout: .seconds(30)))
        #expect(journal.facts.goaways == 2)
        await polite.server.stop()
        await first.close()
        await second.close()

        let stubborn = try await Stage(backend: backend)
        let other = Journal()
        let client = try await stubborn.connect(journal: other, leavesOnGoaway: false)
        await other.wait { $0.setups == 1 }
        await stubborn.atServer.wait { $0.setups == 1 }
        let start = ContinuousClock.now
        #expect(await stubborn.server.drain(timeout: .milliseconds(200)) == false)
        #expect(ContinuousClock.now - start < .seconds(2))
        await other.wait { $0.goaways == 1 }
        await stubborn.server.stop()
        await other.wait { $0.closures.count == 1 }
        await client.close()
    }

    @Test("A server whose thread fails while it drains tells its sessions, and neither drain nor stop waits for ever")
    func failureDuringDrain() async throws {
        let stage = try await Stage()
        let journal = Journal()
        let client = try await stage.connect(journal: journal, leavesOnGoaway: false)
        await journal.wait { $0.setups == 1 }
        await stage.atServer.wait { $0.setups == 1 }
        let draining = Task { await stage.server.drain(timeout: .seconds(600)) }
        await journal.wait { $0.goaways == 1 }
        #expect(breakSockets(boundTo: stage.address.port) > 0)
        stage.server.loop.post {}
        await stage.atServer.wait { $0.closures.count == 1 }
        let closure = try #require(stage.atServer.facts.closures.first)
        guard case .transport = closure.origin else {
            Issue.record("ended by \(closure)")
            return
        }
        #expect(closure.reason.contains("network thread has failed"))
        // Nobody is left.
        #expect(await draining.value)
        #expect(await stage.server.drain(timeout: .seconds(600)))
        await stage.server.stop()
        #expect(stage.server.loop.isStopped)
        await client.close()
    }

    @Test("A server whose thread fails says so to whoever waits for its end, and to its clients in process")
    func failureIsReported() async throws {
        let atServer = Journal()
        let certificate = try SelfSignedCertificate()
        let configuration = MoQEndpointConfiguration(credentials: .selfSigned(certificate))
        let server = MoQPicoQuicServer(configuration: configuration) { loop in
            { transport, profile in
                let handler = TestPeer(journal: atServer)
                let session = MoQSession(transport: transport, loop: loop, profile: profile, handler: handler)
                session.start()
                return session
            }
        }
        let listeners = try await server.start([.rawQUIC(.loopback(port: 0)), .inProcess])
        let port = try #require(listeners[0].address?.port)
        let journal = Journal()
        let client = try await MoQPicoQuicClient.connect(to: server) { _ in TestPeer(journal: journal) }
        await journal.wait { $0.setups == 1 }
        let waiting = Task { try await server.waitUntilStopped() }
        #expect(breakSockets(boundTo: port) > 0)
        server.loop.post {}
        let error = await #expect(throws: QUICError.self) { try await waiting.value }
        #expect(error?.code == .systemFailure)
        #expect(error?.message.contains("moq-server") == true)
        for facts in [journal.facts, atServer.facts] {
            #expect(facts.closures.count == 1)
            #expect(facts.closures.first?.reason.contains("network thread has failed") == true)
        }
        await client.close()
        await server.stop()
        // Who asks after the stop is told nothing bad.
        try await server.waitUntilStopped()
    }

    @Test("A refused connection is closed, with the words of whoever refused it", arguments: Backend.allCases)
    func refusal(backend: Backend) async throws {
        for words in ["full", nil] {
            let stage = try await Stage(
                backend: backend,
                makeAcceptor: { _ in
                    { transport, _ in
                        if let words {
                            transport.close(code: 0x10, reason: words)
                        }
                        return nil
                    }
                }
            )
            let journal = Journal()
            let client = try await stage.connect(journal: journal)
            await journal.wait { $0.closures.count == 1 }
            #expect(journal.facts.closures.first?.origin == .peer)
            #expect(journal.facts.closures.first?.reason == words ?? "refused")
            await client.close()
            await stage.server.stop()
        }
    }

    @Test("A hundred clients come and go, and nothing is left", arguments: Backend.allCases)
    func cycles(backend: Backend) async throws {
        let stage = try await Stage(backend: backend)
        for _ in 0..<100 {
            let journal = Journal()
            let client = try await stage.connect(journal: journal)
            try await Stage.subscribe(client, journal: journal)
            await journal.wait { $0.trackEnds == 1 }
            await client.close()
            if backend == .rawQUIC {
                #expect(client.loop.counters.liveTimers == 0)
            }
        }
        await stage.atServer.wait { $0.closures.count == 100 }
        var live = await stage.server.connectionCounts().live
        let end = ContinuousClock.now.advanced(by: .seconds(5))
        while live > 0, ContinuousClock.now < end {
            live = await stage.server.connectionCounts().live
        }
        #expect(live == 0)
        #expect(await stage.server.connectionCounts().total == 100)
        await stage.server.stop()
        #expect(stage.server.loop.counters.liveTimers == 0)
    }

    @Test("A server and its clients count connections, sessions and bytes, and what ended is not forgotten")
    func statistics() async throws {
        let stage = try await Stage()
        let journal = Journal()
        var clients: [MoQPicoQuicClient] = []
        for _ in 0..<3 {
            clients.append(try await stage.connect(journal: journal))
        }
        for client in clients {
            try await client.withSession { session in
                let track = FullTrackName(namespace: TrackNamespace(["a"]), name: "t")
                session.subscribe(
                    SubscribeRequest(track: track),
                    consumer: TestConsumer(journal: journal),
                    response: { _ in }
                )
            }
        }
        await journal.wait { $0.trackEnds == 3 }
        let busy = await stage.server.statistics()
        #expect(busy.quic.connectionsLive == 3)
        #expect(busy.quic.connectionsCreated == 3)
        #expect(busy.quic.connectionsEnded == 0)
        #expect(busy.sessionsLive == 3)
        #expect(busy.sessions.counters.objectsSent == 3)
        // One moment: the endpoint's figures are the sum of its sessions'.
        let path = try #require(busy.sessions.transport.path)
        #expect(path.bytesSent == busy.quic.traffic.bytesSent)
        #expect(path.packetsSent == busy.quic.traffic.packetsSent)
        #expect(path.packetsReceived == busy.quic.traffic.packetsReceived)
        #expect(path.congestionWindow == busy.quic.traffic.congestionWindow)
        #expect(path.packetsReceived > 0 && path.pacingRate > 0 && path.minimumRoundTrip > .zero)

        let first = await clients[0].statistics()
        #expect(first.sessionsLive == 1)
        #expect(first.sessions.counters.objectsReceived == 1)
        for client in clients {
            let open = await client.statistics()
            await client.close()
            let ended = await client.statistics()
            #expect(ended.quic.connectionsLive == 0)
            #expect(ended.quic.connectionsCreated == 1)
            #expect(ended.quic.connectionsEnded == 1)
            #expect(ended.sessionsLive == 0)
            #expect(ended.sessions.counters.objectsReceived == 1)
            #expect(ended.sessions.transport.streamsLive == 0)
            #expect(ended.quic.traffic.bytesReceived >= open.quic.traffic.bytesReceived)
            #expect(ended.quic.loop.liveTimers == 0)
        }
        await stage.atServer.wait { $0.closures.count == 3 }
        await stage.server.stop()
        let ended = await stage.server.statistics()
        #expect(ended.quic.connectionsLive == 0)
        #expect(ended.quic.connectionsCreated == 3)
        #expect(ended.quic.connectionsEnded == 3)
        #expect(ended.sessionsCreated == 3)
        #expect(ended.sessionsEnded == 3)
        #expect(ended.sessionsLive == 0)
        #expect(ended.sessions.counters.objectsSent == 3)
        #expect(ended.sessions.counters.liveRequests == 0)
        #expect(ended.sessions.transport.streamsLive == 0)
        #expect(ended.quic.traffic.bytesSent >= busy.quic.traffic.bytesSent)
        #expect(ended.quic.traffic.bytesInFlight == 0)
    }

    @Test("A call onto the idle loop is answered far below the loop's longest sleep")
    func wake() async throws {
        let report = try await LoopWakeBenchmark.run(rounds: 200)
        #expect(report.rounds == 200)
        #expect(report.arrivalMedian < 2_000)
        #expect(report.arrivalMedian <= report.arrival99)
        #expect(report.description.contains("p99"))
    }
}
