// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import PicoQuic
import Testing

@Suite("Lifetimes over loopback sockets", .tags(.network), .timeLimit(.minutes(3)))
struct LifetimeTests {
    @Test("Two hundred connections come and go, and nothing is left")
    func cycles() async throws {
        let fixture = try await Fixture()
        for round in 0..<200 {
            let link = try await fixture.connect()
            let stream = try await link.send([UInt8(truncatingIfNeeded: round)])
            await link.witness.wait { $0.finished.contains(stream) }
            try await link.run { connection, _ in connection.close(code: UInt64(round)) }
            await link.witness.wait { $0.closes.count == 1 }
        }
        await fixture.serverWitness.wait { $0.closes.count == 200 }
        var live = await fixture.server.connectionCounts().live
        let end = ContinuousClock.now.advanced(by: .seconds(5))
        while live > 0, ContinuousClock.now < end {
            live = await fixture.server.connectionCounts().live
        }
        #expect(live == 0)
        #expect(await fixture.server.connectionCounts().total == 200)
        #expect(await fixture.client.connectionCounts().live == 0)
        #expect(fixture.client.loop.counters.liveTimers == 0)
        await fixture.stop()
    }

    @Test("Nobody at the port: an error that names it, in time")
    func unreachable() async throws {
        let probe = PicoQuicExecutor(configuration: QUICConfiguration(applicationProtocols: ["x"]))
        let address = try await probe.start(on: .loopback(port: 0))
        await probe.stop()
        let client = PicoQuicExecutor(configuration: QUICConfiguration(applicationProtocols: ["x"]))
        try await client.start()
        let start = ContinuousClock.now
        let error = await #expect(throws: QUICError.self) {
            try await client.connect(to: "127.0.0.1", port: address.port, timeout: .seconds(1)) { _ in
                EchoDelegate(witness: Witness(), echoes: false)
            }
        }
        #expect(error?.code == .unreachable)
        #expect(error?.message.contains("\(address.port)") == true)
        #expect(ContinuousClock.now - start < .seconds(3))
        let unknown = await #expect(throws: QUICError.self) {
            try await client.connect(to: "no-such-host.invalid", port: 1) { _ in
                EchoDelegate(witness: Witness(), echoes: false)
            }
        }
        #expect(unknown?.code == .nameNotResolved)
        await client.stop()
    }

    @Test("A host name with several addresses reaches the one that answers")
    func severalAddresses() async throws {
        let fixture = try await Fixture()
        let link = try await fixture.connect(host: "localhost")
        #expect(try await link.run { connection, _ in connection.peerAddress?.port } == fixture.address.port)
        await fixture.stop()
    }

    @Test("Stopping while clients connect leaves nothing behind")
    func stopDuringHandshakes() async throws {
        for _ in 0..<5 {
            let fixture = try await Fixture()
            let attempts = (0..<10).map { _ in
                Task { try? await fixture.connect(timeout: .milliseconds(500)) }
            }
            await fixture.server.stop(code: 1, reason: "early")
            for attempt in attempts {
                if let link = await attempt.value {
                    await link.witness.wait { $0.closes.count == 1 }
                }
            }
            await fixture.stop()
        }
    }

    @Test("The first endpoints of a process may all start at once")
    func firstUse() async {
        await #expect(processExitsWith: .success) {
            let certificate = try SelfSignedCertificate()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        var configuration = QUICConfiguration(applicationProtocols: ["x"])
                        configuration.credentials = .selfSigned(certificate)
                        let endpoint = PicoQuicExecutor(configuration: configuration)
                        try await endpoint.start(on: .loopback(port: 0))
                        await endpoint.stop()
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("A cancelled connect returns at once")
    func cancel() async throws {
        let client = PicoQuicExecutor(configuration: QUICConfiguration(applicationProtocols: ["x"]))
        try await client.start()
        // An endpoint without a certificate would refuse, which ends the attempt as well.
        let silent = try UDPProxy(to: 9)
        silent.cut(true)
        let task = Task {
            try await client.connect(to: "127.0.0.1", port: silent.port, timeout: .seconds(60)) { _ in
                EchoDelegate(witness: Witness(), echoes: false)
            }
        }
        try await client.loop.run {}
        let start = ContinuousClock.now
        task.cancel()
        let error = await #expect(throws: QUICError.self) { try await task.value }
        #expect(error?.code == .stopped)
        #expect(ContinuousClock.now - start < .seconds(2))
        await client.stop()
        silent.stop()
    }

    @Test("A silent connection ends by its idle timeout, and says so")
    func idle() async throws {
        let fixture = try await Fixture(adjust: { configuration in
            configuration.idleTimeout = .milliseconds(300)
            configuration.keepAlive = nil
        })
        let link = try await fixture.connect()
        await link.witness.wait { $0.closes.count == 1 }
        #expect(link.witness.state.closes.first?.kind == .idleTimeout)
        await fixture.stop()
    }

    @Test("Keep-alive holds a quiet connection open")
    func keepAlive() async throws {
        let fixture = try await Fixture(adjust: { configuration in
            configuration.idleTimeout = .milliseconds(400)
            configuration.keepAlive = .milliseconds(100)
        })
        let link = try await fixture.connect()
        let loop = fixture.client.loop
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            loop.post { loop.schedule(after: .milliseconds(1_200)) { continuation.resume() } }
        }
        #expect(try await link.run { connection, _ in connection.isOpen })
        await fixture.stop()
    }
}
