// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQPicoQuic
import MoQWire
import PacketLoop
import PicoQuic
import Testing

@Suite("Clients and servers for a scope", .tags(.network), .timeLimit(.minutes(1)))
struct ScopeTests {
    private struct Unwell: Error {}

    /// Runs `body` with a client in a scope, and returns the client's loop beside what came of it.
    private static func withClient<Value: Sendable>(
        of stage: Stage,
        _ body: (MoQPicoQuicClient) async throws -> Value
    ) async throws -> Value {
        let configuration = stage.configuration()
        let makeHandler: @Sendable (PacketLoop) -> any MoQSessionHandler = { _ in TestPeer(journal: Journal()) }
        switch stage.backend {
        case .rawQUIC:
            return try await MoQPicoQuicClient.withConnection(
                to: MoQURL(stage.url),
                configuration: configuration,
                makeHandler: makeHandler,
                body
            )
        case .inProcess:
            return try await MoQPicoQuicClient.withConnection(
                to: stage.server,
                configuration: configuration,
                makeHandler: makeHandler,
                body
            )
        }
    }

    /// Whether the client's side is over.
    private static func isOver(_ client: MoQPicoQuicClient) async -> Bool {
        do {
            try await client.withSession { _ in }
            return false
        } catch {
            return true
        }
    }

    @Test("A connection for a scope is closed at its end, and at an error", arguments: Backend.allCases)
    func connection(backend: Backend) async throws {
        let stage = try await Stage(backend: backend)
        let journal = Journal()
        let client = try await Self.withClient(of: stage) { client in
            try await Stage.subscribe(client, journal: journal)
            await journal.wait { $0.trackEnds == 1 }
            #expect(await Self.isOver(client) == false)
            return client
        }
        #expect(await Self.isOver(client))
        await stage.atServer.wait { $0.closures.count == 1 }
        await #expect(throws: Unwell.self) {
            try await Self.withClient(of: stage) { _ in throw Unwell() }
        }
        await stage.atServer.wait { $0.closures.count == 2 }
        #expect(stage.atServer.facts.closures.allSatisfy { $0.isClean })
        await stage.server.stop()
    }

    @Test("A connection for a scope is closed when its task is cancelled", arguments: Backend.allCases)
    func cancelledConnection(backend: Backend) async throws {
        let stage = try await Stage(backend: backend)
        let task = Task {
            try await Self.withClient(of: stage) { _ in
                try await Task.sleep(for: .seconds(3_600))
            }
        }
        await stage.atServer.wait { $0.setups == 1 }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        await stage.atServer.wait { $0.closures.count == 1 }
        #expect(stage.atServer.facts.closures.first?.isClean == true)
        await stage.server.stop()
    }

    /// An actor that is not the main one.
    private actor Elsewhere {
        private var visits = 0

        /// The body may touch the actor's state: it runs here.
        func visit(_ stage: Stage) async throws -> Int {
            let makeHandler: @Sendable (PacketLoop) -> any MoQSessionHandler = { _ in TestPeer(journal: Journal()) }
            return try await MoQPicoQuicClient.withConnection(to: stage.server, makeHandler: makeHandler) { _ in
                self.preconditionIsolated()
                self.visits += 1
                return self.visits
            }
        }
    }

    @Test("The body of a scope runs where its caller runs")
    func isolation() async throws {
        let stage = try await Stage(backend: .inProcess)
        #expect(try await Elsewhere().visit(stage) == 1)
        await stage.server.stop()
    }

    private func makeServer(_ certificate: SelfSignedCertificate, _ journal: Journal) -> MoQPicoQuicServer {
        MoQPicoQuicServer(
            configuration: MoQEndpointConfiguration(credentials: .selfSigned(certificate))
        ) { loop in
            { transport, profile in
                let handler = TestPeer(journal: journal)
                let session = MoQSession(transport: transport, loop: loop, profile: profile, handler: handler)
                session.start()
                return session
            }
        }
    }

    @Test("A server for a scope asks its clients to leave when the scope ends, however it ends")
    func server() async throws {
        let certificate = try SelfSignedCertificate()
        for fails in [false, true] {
            let server = self.makeServer(certificate, Journal())
            let journal = Journal()
            var made: MoQPicoQuicClient?
            do {
                made = try await server.run(on: .loopback(port: 0), drainTimeout: .seconds(30)) { address in
                    var configuration = MoQEndpointConfiguration()
                    configuration.quic.verification = .pinned([certificate.fingerprint])
                    let url = try MoQURL("moqt://127.0.0.1:\(address.port)")
                    let client = try await MoQPicoQuicClient.connect(to: url, configuration: configuration) { _ in
                        TestPeer(journal: journal)
                    }
                    made = client
                    await journal.wait { $0.setups == 1 }
                    if fails {
                        throw Unwell()
                    }
                    return client
                }
                #expect(!fails)
            } catch is Unwell {
                #expect(fails)
            }
            #expect(server.loop.isStopped)
            #expect(journal.facts.goaways == 1)
            #expect(journal.facts.closures.first?.origin == .local)
            try await #require(made).close()
        }
    }

    @Test("A server that runs until it is cancelled says GOAWAY, waits, and stops")
    func cancelledServer() async throws {
        let certificate = try SelfSignedCertificate()
        let server = self.makeServer(certificate, Journal())
        let addresses = AsyncStream.makeStream(of: QUICAddress.self)
        let task = Task {
            try await server.run(on: .loopback(port: 0), drainTimeout: .milliseconds(300)) { address in
                addresses.continuation.yield(address)
                try await Task.sleep(for: .seconds(3_600))
            }
        }
        var found: QUICAddress?
        for await address in addresses.stream {
            found = address
            break
        }
        let address = try #require(found)
        var configuration = MoQEndpointConfiguration()
        configuration.quic.verification = .pinned([certificate.fingerprint])
        let url = try MoQURL("moqt://127.0.0.1:\(address.port)")
        let journal = Journal()
        let client = try await MoQPicoQuicClient.connect(to: url, configuration: configuration) { _ in
            TestPeer(journal: journal, leavesOnGoaway: false)
        }
        await journal.wait { $0.setups == 1 }
        let start = ContinuousClock.now
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        // The wait for the clients was not cancelled with the task.
        #expect(ContinuousClock.now - start >= .milliseconds(300))
        #expect(server.loop.isStopped)
        await journal.wait { $0.closures.count == 1 }
        #expect(journal.facts.goaways == 1)
        await client.close()
    }

    @Test("A server without a body runs until it is cancelled, or stopped by somebody else", arguments: [false, true])
    func untilStopped(byStop: Bool) async throws {
        let server = self.makeServer(try SelfSignedCertificate(), Journal())
        let task = Task { try await server.run(on: .loopback(port: 0)) }
        // The acceptor's loop answers once the server has started.
        _ = try await server.loop.run { true }
        if byStop {
            await server.stop()
        } else {
            task.cancel()
        }
        try? await task.value
        #expect(server.loop.isStopped)
    }
}
