// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import PicoQuic
import Testing

@Suite("How connections fail and end, over loopback sockets", .tags(.network), .timeLimit(.minutes(2)))
struct EndingTests {
    private func refusal(_ body: () async throws -> Void) async -> QUICError? {
        do {
            try await body()
            return nil
        } catch {
            return error as? QUICError
        }
    }

    @Test("A server that has as many connections as it takes says so, and the others do not notice")
    func full() async throws {
        let fixture = try await Fixture(adjust: { configuration in
            if configuration.credentials != nil {
                configuration.maximumConnections = 1
            }
        })
        let link = try await fixture.connect()
        let start = ContinuousClock.now
        let error = await self.refusal { _ = try await fixture.connect() }
        #expect(error?.code == .refused)
        #expect(error?.wireCode == 0x2)
        #expect(error?.message.contains("SERVER_BUSY") == true)
        #expect(error?.message.contains("\(fixture.address.port)") == true)
        #expect(ContinuousClock.now - start < .seconds(2))
        let stream = try await link.send([1, 2, 3])
        await link.witness.wait { $0.finished.contains(stream) }

        // The place is free again when the first one has gone.
        try await link.run { connection, _ in connection.close(code: 0) }
        try await fixture.eventually("the place is not given back") {
            await fixture.server.connectionCounts().live == 0
        }
        let next = try await fixture.connect()
        #expect(try await next.run { connection, _ in connection.isOpen })
        await fixture.stop()
    }

    @Test("A handshake that hangs is told from silence, whoever runs out of patience first", arguments: [true, false])
    func hangingHandshake(callerWaits: Bool) async throws {
        // The server's answer takes two datagrams.
        let names = (0..<60).map { "host-\($0).moqingbird.example" }
        let certificate = try SelfSignedCertificate(names: names)
        let fixture = try await Fixture(certificate: certificate) { configuration in
            configuration.handshakeTimeout = callerWaits ? .milliseconds(400) : .seconds(10)
        }
        let proxy = try UDPProxy(to: fixture.address.port)
        let timeout: Duration = callerWaits ? .seconds(10) : .milliseconds(400)
        proxy.pass(fromServer: 1)
        let hanging = await self.refusal { _ = try await fixture.connect(port: proxy.port, timeout: timeout) }
        #expect(hanging?.code == .handshakeTimeout)
        proxy.pass(fromServer: 0)
        let silent = await self.refusal { _ = try await fixture.connect(port: proxy.port, timeout: timeout) }
        #expect(silent?.code == .unreachable)
        for error in [hanging, silent] {
            #expect(error?.message.contains("127.0.0.1:\(proxy.port)") == true)
        }
        await fixture.stop()
        proxy.stop()
    }

    @Test("A closed port is reported at once, by name, and the next address of the host is tried")
    func closedPort() async throws {
        let fixture = try await Fixture()
        let elsewhere = PicoQuicExecutor(configuration: QUICConfiguration(applicationProtocols: ["x"]))
        let closed = try await elsewhere.start(on: .loopback(port: 0))
        await elsewhere.stop()
        let start = ContinuousClock.now
        let error = await self.refusal { _ = try await fixture.connect(port: closed.port, timeout: .seconds(30)) }
        #expect(error?.code == .unreachable)
        #expect(error?.message == "cannot reach \(closed): nobody listens on that UDP port")
        #expect(ContinuousClock.now - start < .seconds(2))
        let link = try await fixture.connect()
        let stream = try await link.send([1])
        await link.witness.wait { $0.finished.contains(stream) }
        #expect(fixture.client.loop.counters.liveTimers == 0)
        await fixture.stop()
    }

    @Test("A connection that is closed when its endpoint stops was closed here")
    func local() async throws {
        let fixture = try await Fixture()
        let link = try await fixture.connect()
        await fixture.client.stop(code: 5, reason: "home")
        #expect(link.witness.state.closes == [QUICCloseInfo(kind: .local, code: 5, reason: "home")])
        await fixture.serverWitness.wait { $0.closes.count == 1 }
        let told = fixture.serverWitness.state.closes
        #expect(told == [QUICCloseInfo(kind: .peer, code: 5, reason: "home")])
        await fixture.stop()
    }

    @Test("Codes have 62 bits, in both directions; a larger one becomes the largest", arguments: [0, 62, 64])
    func wideCodes(bits: UInt64) async throws {
        let code: UInt64 = bits == 64 ? .max : (1 << bits) - 1
        let expected = min(code, (1 << 62) - 1)
        let fixture = try await Fixture()
        let link = try await fixture.connect()
        let up = try await link.send([1], isFinished: false)
        await link.witness.wait { $0.received[up]?.count == 1 }
        // Both sides give up both directions.
        try await link.run { connection, _ in try connection.stopSending(stream: up, code: code, token: 1) }
        await fixture.serverWitness.wait { $0.stops[up] == expected }
        await link.witness.wait { $0.resets[up] == expected }
        try await fixture.atServer { connection in try connection.stopSending(stream: up, code: code, token: 1) }
        await link.witness.wait { $0.stops[up] == expected }
        await fixture.serverWitness.wait { $0.resets[up] == expected }
        try await fixture.atServer { $0.close(code: code, reason: "") }
        await link.witness.wait { $0.closes.count == 1 }
        #expect(link.witness.state.closes.first?.code == expected)
        await fixture.serverWitness.wait { $0.closes.count == 1 }
        #expect(fixture.serverWitness.state.closes.first?.code == expected)
        await fixture.stop()
    }
}
