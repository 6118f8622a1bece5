// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQPicoQuic
import MoQWire
import PacketLoop
import PicoQuic
import Testing

@Suite("Starting, draining and stopping a server, in every order", .tags(.network), .timeLimit(.minutes(2)))
struct ServerLifecycleTests {
    private func makeServer(_ label: String, shards: Int = 1) throws -> MoQPicoQuicServer {
        var configuration = MoQEndpointConfiguration(credentials: .selfSigned(try SelfSignedCertificate()))
        configuration.quic.packetLoop = Stage.sharingLoop
        return MoQPicoQuicServer(
            configuration: configuration,
            label: label,
            shards: shards
        ) { _ in { _, _ in nil } }
    }

    @Test("Of two starts at once one wins, and the other is told and does no harm", arguments: [1, 3])
    func startTwice(shards: Int) async throws {
        let server = try self.makeServer("twice", shards: shards)
        let outcomes = await withTaskGroup(of: Result<QUICAddress, QUICError>.self) { group in
            for _ in 0..<2 {
                group.addTask {
                    do throws(QUICError) {
                        return .success(try await server.start(on: .loopback(port: 0)))
                    } catch {
                        return .failure(error)
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.filter { (try? $0.get()) != nil }.count == 1)
        for case .failure(let error) in outcomes {
            #expect(error.code == .invalidState)
        }
        #expect(LoopThreads.named("twice").count == shards)
        await server.stop()
        #expect(LoopThreads.named("twice").isEmpty)
        let late = await #expect(throws: QUICError.self) { try await server.start(on: .loopback(port: 0)) }
        #expect(late?.code == .invalidState)
    }

    @Test("A stop that comes during the start leaves nothing that runs", arguments: [1, 3])
    func stopDuringStart(shards: Int) async throws {
        for round in 0..<20 {
            let server = try self.makeServer("hasty", shards: shards)
            async let outcome = { () async -> QUICError? in
                do throws(QUICError) {
                    try await server.start(on: .loopback(port: 0))
                    return nil
                } catch {
                    return error
                }
            }()
            for _ in 0..<round {
                await Task.yield()
            }
            await server.stop()
            // Before the start, during it, or after it: each is possible.
            if let error = await outcome {
                #expect(error.code == .stopped || error.code == .invalidState, "\(error)")
            }
            #expect(LoopThreads.named("hasty").isEmpty)
        }
    }

    @Test("Every stop returns when all is released, not only the first one")
    func stopTwice() async throws {
        let stage = try await Stage(label: "ended", shards: 2)
        let journal = Journal()
        let client = try await stage.connect(journal: journal)
        await journal.wait { $0.setups == 1 }
        await withTaskGroup(of: Int.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    await stage.server.stop()
                    return LoopThreads.named("ended").count
                }
            }
            for await count in group {
                #expect(count == 0)
            }
        }
        await client.close()
    }

    @Test("A server that was stopped before it started cannot start")
    func stopFirst() async throws {
        let server = try self.makeServer("never")
        await server.stop()
        await #expect(throws: QUICError.self) { try await server.start(on: .loopback(port: 0)) }
        #expect(LoopThreads.named("never").isEmpty)
        #expect(await server.drain(timeout: .seconds(60)))
    }

    @Test("A stop in the middle of a drain ends it", arguments: Backend.allCases)
    func stopDuringDrain(backend: Backend) async throws {
        let stage = try await Stage(backend: backend)
        let journal = Journal()
        let client = try await stage.connect(journal: journal, leavesOnGoaway: false)
        await stage.atServer.wait { $0.setups == 1 }
        let start = ContinuousClock.now
        async let drained = stage.server.drain(timeout: .seconds(3_600))
        await journal.wait { $0.goaways == 1 }
        await stage.server.stop()
        #expect(await drained)
        #expect(ContinuousClock.now - start < .seconds(10))
        await journal.wait { $0.closures.count == 1 }
        await client.close()
    }

    @Test("A drain that comes during a stop or after it ends with it")
    func drainDuringStop() async throws {
        let stage = try await Stage()
        let client = try await stage.connect(journal: Journal(), leavesOnGoaway: false)
        await stage.atServer.wait { $0.setups == 1 }
        let start = ContinuousClock.now
        async let stopped: Void = stage.server.stop()
        #expect(await stage.server.drain(timeout: .seconds(3_600)))
        await stopped
        #expect(await stage.server.drain(timeout: .seconds(3_600)))
        #expect(ContinuousClock.now - start < .seconds(10))
        await client.close()
    }

    @Test("A drain whose task is cancelled waits no longer")
    func cancelledDrain() async throws {
        let stage = try await Stage()
        let journal = Journal()
        let client = try await stage.connect(journal: journal, leavesOnGoaway: false)
        await stage.atServer.wait { $0.setups == 1 }
        let server = stage.server
        let drain = Task { await server.drain(timeout: .seconds(3_600)) }
        await journal.wait { $0.goaways == 1 }
        drain.cancel()
        #expect(await drain.value == false)
        await client.close()
        await server.stop()
    }

    /// Tells whether it was let go on a loop.
    private final class Keepsake {
        private let loop: PacketLoop
        private let report: @Sendable (Bool) -> Void

        init(_ loop: PacketLoop, _ report: @escaping @Sendable (Bool) -> Void) {
            self.loop = loop
            self.report = report
        }

        deinit {
            self.report(self.loop.isOnLoop)
        }
    }

    @Test(
        "Shutting down goes in order: GOAWAY, the deadline, closes on the wire, release on the loop",
        arguments: Backend.allCases
    )
    func order(backend: Backend) async throws {
        let release = Journal()
        let atServer = Journal()
        let stage = try await Stage(
            backend: backend,
            makeAcceptor: { loop in
                let keepsake = Keepsake(loop) { wasOnLoop in release.note { $0.releases.append(wasOnLoop) } }
                return { [keepsake] transport, profile in
                    _ = keepsake
                    let handler = TestPeer(journal: atServer)
                    let session = MoQSession(transport: transport, loop: loop, profile: profile, handler: handler)
                    session.start()
                    return session
                }
            }
        )
        let polite = Journal()
        let stubborn = Journal()
        let first = try await stage.connect(journal: polite)
        let second = try await stage.connect(journal: stubborn, leavesOnGoaway: false)
        await atServer.wait { $0.setups == 2 }

        let server = stage.server
        let start = ContinuousClock.now
        async let haveAllLeft = server.shutDown(drainTimeout: .milliseconds(500), code: .noError, reason: "good night")
        await stubborn.wait { $0.goaways == 1 }
        await polite.wait { $0.closures.count == 1 }
        // The one left, as asked; the other may go on until the deadline.
        #expect(polite.facts.goaways == 1)
        #expect(polite.facts.closures.first?.origin == .local)
        #expect(ContinuousClock.now - start < .milliseconds(500))
        #expect(stubborn.facts.closures.isEmpty)
        #expect(release.facts.releases.isEmpty)

        await stubborn.wait { $0.closures.count == 1 }
        let elapsed = ContinuousClock.now - start
        #expect(elapsed >= .milliseconds(500) && elapsed < .milliseconds(500 + 250 + 1_000))
        #expect(stubborn.facts.closures.first?.origin == .peer)
        #expect(stubborn.facts.closures.first?.reason == "good night")

        #expect(await haveAllLeft == false)
        #expect(release.facts.releases == [true])
        #expect(atServer.facts.closures.count == 2)
        #expect(server.loop.isStopped)
        #expect(server.loop.counters.liveTimers == 0)
        await first.close()
        await second.close()
    }
}
