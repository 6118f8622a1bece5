// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import PacketLoop
import PicoQuic
import TestSupport
import Testing

@Suite("Endpoints whose thread fails, or whose start is overtaken", .tags(.network), .timeLimit(.minutes(1)))
struct LoopFailureTests {
    @Test("A thread that fails by itself tells every connection why, and the endpoint no longer runs")
    func connectionsAreTold() async throws {
        let fixture = try await Fixture()
        var links: [Link] = []
        for _ in 0..<3 {
            let link = try await fixture.connect()
            let stream = try await link.send([1])
            await link.witness.wait { $0.finished.contains(stream) }
            links.append(link)
        }
        #expect(fixture.server.isRunning)
        let isRunningAtTheEnd = Locked<Bool?>(nil)
        let server = fixture.server
        let late = Task {
            await fixture.serverWitness.wait { !$0.closes.isEmpty }
            isRunningAtTheEnd.withLock { $0 = server.isRunning }
        }
        #expect(breakSockets(boundTo: fixture.address.port) > 0)
        server.loop.post {}
        await fixture.serverWitness.wait { $0.closes.count == 3 }
        await late.value
        #expect(isRunningAtTheEnd.withLock { $0 } == false)
        for info in fixture.serverWitness.state.closes {
            #expect(info.kind == .aborted)
            #expect(info.wasEstablished)
            #expect(info.reason.contains("network thread has failed"))
        }
        // The peers of a dead endpoint are on their own; it still has to be stopped, which takes no waiting.
        await server.stop()
        #expect(!server.isRunning)
        #expect(!server.loop.post {})
        #expect(server.loop.counters.liveTimers == 0)
        #expect(await server.connectionCounts() == (0, 0))
        await fixture.stop()
    }

    @Test("Who connects while the thread fails is told, and so is who tries later")
    func connecting() async throws {
        let client = PicoQuicExecutor(configuration: QUICConfiguration(applicationProtocols: ["x"]))
        let port = try await client.start().port
        let silent = try UDPProxy(to: 9)
        silent.cut(true)
        let attempt = Task.immediate {
            try await client.connect(to: "127.0.0.1", port: silent.port, timeout: .seconds(600)) { _ in
                EchoDelegate(witness: Witness(), echoes: false)
            }
        }
        // The attempt is under way when its connection exists.
        while await client.connectionCounts().live == 0 {
            try Task.checkCancellation()
        }
        #expect(breakSockets(boundTo: port) > 0)
        client.loop.post {}
        let error = await #expect(throws: QUICError.self) { try await attempt.value }
        #expect(error?.code == .stopped)
        let later = await #expect(throws: QUICError.self) {
            try await client.connect(to: "127.0.0.1", port: silent.port) { _ in
                EchoDelegate(witness: Witness(), echoes: false)
            }
        }
        #expect(later?.code == .stopped)
        await client.stop()
        silent.stop()
    }

    @Test("A thread that fails in the middle of a stop lets the stop return")
    func stopping() async throws {
        let fixture = try await Fixture()
        let link = try await fixture.connect()
        let stream = try await link.send([1])
        await link.witness.wait { $0.finished.contains(stream) }
        let port = try #require(try await link.run { connection, _ in connection.localAddress?.port })
        let loop = fixture.client.loop
        let bound = link.connection
        let broken = Locked(0)
        // Strikes in the round in which the stop has closed the connection, before anything could leave or arrive.
        @Sendable func lieInWait() {
            if bound.value.isOpen {
                loop.post { lieInWait() }
            } else {
                let count = breakSockets(boundTo: port)
                broken.withLock { $0 = count }
            }
        }
        loop.post { lieInWait() }
        await fixture.client.stop(code: 5)
        #expect(broken.withLock { $0 } > 0)
        #expect(!fixture.client.isRunning)
        // The farewell was still under way: the peer has not heard of it.
        #expect(fixture.serverWitness.state.closes.isEmpty)
        #expect(link.witness.state.closes.map(\.kind) == [.local])
        await fixture.stop()
    }

    @Test("A stop that comes before the start has returned stops the endpoint, and the start says so")
    func stopDuringStart() async throws {
        // Opening a pipe that nobody reads holds the start up for as long as the test likes.
        let pipe = FileManager.default.temporaryDirectory.appendingPathComponent("start-\(UUID().uuidString)").path
        #expect(unsafe mkfifo(pipe, 0o600) == 0)
        defer { unsafe unlink(pipe) }
        var configuration = QUICConfiguration(applicationProtocols: ["x"])
        configuration.keyLogFile = pipe
        let endpoint = PicoQuicExecutor(configuration: configuration)
        // Each start on a thread of its own: one of them is held up.
        var helpers: [PicoQuicExecutor] = []
        for _ in 0..<2 {
            let helper = PicoQuicExecutor(configuration: QUICConfiguration(applicationProtocols: ["x"]))
            try await helper.start(on: .loopback(port: 0))
            helpers.append(helper)
        }
        let outcomes = AsyncStream.makeStream(of: Result<QUICAddress, QUICError>.self)
        for helper in helpers {
            Task(executorPreference: helper.loop.tasks) {
                do throws(QUICError) {
                    outcomes.continuation.yield(.success(try await endpoint.start(on: .loopback(port: 0))))
                } catch {
                    outcomes.continuation.yield(.failure(error))
                }
            }
        }
        var iterator = outcomes.stream.makeAsyncIterator()
        // The second to come is refused, so the first is on its way.
        let second = await iterator.next()
        let refusal = #expect(throws: QUICError.self) { try second?.get() }
        #expect(refusal?.code == .invalidState)
        #expect(!endpoint.isRunning)
        let stopping = (0..<2).map { _ in Task.immediate { await endpoint.stop(code: 1) } }
        let reader = unsafe open(pipe, O_RDONLY | O_NONBLOCK)
        #expect(reader >= 0)
        let first = await iterator.next()
        let error = #expect(throws: QUICError.self) { try first?.get() }
        #expect(error?.code == .stopped)
        for task in stopping {
            await task.value
        }
        close(reader)
        #expect(!endpoint.isRunning)
        #expect(endpoint.loop.isStopped)
        for helper in helpers {
            await helper.stop()
        }
    }

    @Test("However start and stop meet, nothing keeps running, and both return")
    func race() async throws {
        for turn in 0..<50 {
            let endpoint = PicoQuicExecutor(configuration: QUICConfiguration(applicationProtocols: ["x"]))
            let starting = Task { try await endpoint.start(on: .loopback(port: 0)) }
            for _ in 0..<turn {
                await Task.yield()
            }
            await endpoint.stop()
            _ = await starting.result
            #expect(!endpoint.isRunning)
            #expect(endpoint.loop.isStopped)
        }
    }
}
