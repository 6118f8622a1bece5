// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import PacketLoop
import PicoQuic
import Synchronization
import Testing

@Suite("Handshakes over loopback sockets", .tags(.network), .timeLimit(.minutes(2)))
struct HandshakeTests {
    /// Something whose life can be watched.
    private final class Token: Sendable {}

    private func server(
        certificate: SelfSignedCertificate,
        log: EventLog,
        onEvent: @escaping @Sendable (String, QUICConnection, LoggingDelegate) -> Void = { _, _, _ in }
    ) -> PicoQuicExecutor {
        let configuration = QUICConfiguration(applicationProtocols: ["x"], credentials: .selfSigned(certificate))
        return PicoQuicExecutor(configuration: configuration) { connection in
            log.note("accept \(connection.applicationProtocol ?? "nothing")")
            return LoggingDelegate(log: log, onEvent: onEvent)
        }
    }

    private func client(of certificate: SelfSignedCertificate) async throws -> PicoQuicExecutor {
        var configuration = QUICConfiguration(applicationProtocols: ["x"])
        configuration.verification = .pinned([certificate.fingerprint])
        let endpoint = PicoQuicExecutor(configuration: configuration)
        try await endpoint.start()
        return endpoint
    }

    @Test("A connection gets its delegate once, when the protocol is known, and then every event in order")
    func order() async throws {
        let certificate = try SelfSignedCertificate()
        let atServer = EventLog()
        let atClient = EventLog()
        let server = self.server(certificate: certificate, log: atServer)
        let address = try await server.start(on: .loopback(port: 0))
        let client = try await self.client(of: certificate)
        // A handshake that fails asks nobody for a delegate.
        await #expect(throws: QUICError.self) {
            try await client.connect(to: "127.0.0.1", port: address.port, applicationProtocols: ["foo"]) { _ in
                LoggingDelegate(log: atClient)
            }
        }
        #expect(atServer.events.isEmpty)
        #expect(atClient.events.isEmpty)
        let bound = try await client.connect(to: "127.0.0.1", port: address.port) { _ in
            LoggingDelegate(log: atClient) { event, connection, delegate in
                if event == "ready" {
                    try? delegate.send([1, 2], on: connection)
                }
            }
        }
        await atClient.wait { $0.contains("released") }
        await atServer.wait { $0.contains("data 2 fin") }
        #expect(atServer.events.prefix(3) == ["accept x", "almost ready", "ready"])
        #expect(atServer.events.filter { $0.hasPrefix("accept") }.count == 1)
        #expect(atClient.events.prefix(3) == ["almost ready", "ready", "asked"])
        try await client.loop.run { bound.value.close(code: 0) }
        await atServer.wait { $0.last == "closed" }
        await atClient.wait { $0.last == "closed" }
        #expect(atServer.events.filter { $0 == "closed" }.count == 1)
        await client.stop()
        await server.stop()
    }

    @Test("What a server sends with its first flight arrives")
    func firstFlight() async throws {
        let certificate = try SelfSignedCertificate()
        let atServer = EventLog()
        let atClient = EventLog()
        let server = self.server(certificate: certificate, log: atServer) { event, connection, delegate in
            if event == "almost ready" {
                try? delegate.send([UInt8](repeating: 5, count: 300), on: connection)
            }
        }
        let address = try await server.start(on: .loopback(port: 0))
        let client = try await self.client(of: certificate)
        try await client.connect(to: "127.0.0.1", port: address.port) { _ in LoggingDelegate(log: atClient) }
        await atClient.wait { $0.contains("data 300 fin") }
        await atServer.wait { $0.contains("ready") && $0.contains("asked") }
        // It left before the client's answer had come.
        let events = atServer.events
        let asked = try #require(events.firstIndex(of: "asked"))
        let ready = try #require(events.firstIndex(of: "ready"))
        #expect(asked < ready)
        await client.stop()
        await server.stop()
    }

    @Test("Clients that give up in the middle of the handshake leave nothing at the server")
    func abandoned() async throws {
        let fixture = try await Fixture(adjust: { $0.handshakeTimeout = .seconds(1) })
        for batch in 0..<50 {
            let attempts = (0..<20).map { number in
                Task { try? await fixture.connect(timeout: .microseconds(50 + 150 * (batch + number))) }
            }
            for attempt in attempts {
                if let link = await attempt.value {
                    try await link.loop.run { link.connection.value.close(code: 0) }
                }
            }
        }
        var live = await fixture.server.connectionCounts().live
        let end = ContinuousClock.now.advanced(by: .seconds(20))
        while live > 0, ContinuousClock.now < end {
            live = await fixture.server.connectionCounts().live
        }
        #expect(live == 0)
        let link = try await fixture.connect()
        let stream = try await link.send([1])
        await link.witness.wait { $0.finished.contains(stream) }
        await fixture.stop()
    }

    @Test("A server that is stopped in the middle of a thousand handshakes lets go of everything")
    func stopInTheMiddle() async throws {
        let certificate = try SelfSignedCertificate()
        let client = try await self.client(of: certificate)
        let accepted = EventLog()
        weak var watched: Token?
        do {
            let token = Token()
            watched = token
            let configuration = QUICConfiguration(applicationProtocols: ["x"], credentials: .selfSigned(certificate))
            let server = PicoQuicExecutor(configuration: configuration) { _ in
                withExtendedLifetime(token) { accepted.note("accept") }
                return LoggingDelegate(log: EventLog())
            }
            let address = try await server.start(on: .loopback(port: 0))
            let port = address.port
            // Each worker starts the next handshake as soon as one is done, until the server refuses: whenever the stop
            // comes, it is in the middle.
            let handshakesPerWorker = 1_000
            let workers = (0..<20).map { _ in
                Task {
                    var logs: [EventLog] = []
                    for _ in 0..<handshakesPerWorker {
                        let log = EventLog()
                        let connection = try? await client.connect(to: "127.0.0.1", port: port, timeout: .seconds(3)) {
                            _ in
                            LoggingDelegate(log: log)
                        }
                        guard connection != nil else { break }
                        logs.append(log)
                    }
                    for log in logs {
                        await log.wait { $0.contains("closed") }
                    }
                    return logs.count
                }
            }
            await accepted.wait { $0.count >= 1_000 }
            await server.stop(code: 1, reason: "in the middle")
            for worker in workers {
                #expect(await worker.value < handshakesPerWorker)
            }
        }
        #expect(watched == nil)
        await client.stop()
    }

    @Test("A start that fails at any step, and a stop, let go of everything")
    func failedStarts() async throws {
        let occupied = PicoQuicExecutor(configuration: QUICConfiguration(applicationProtocols: ["x"]))
        let taken = try await occupied.start(on: .loopback(port: 0))
        let one = try SelfSignedCertificate()
        let two = try SelfSignedCertificate()
        let junk = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
        try Data("junk".utf8).write(to: URL(fileURLWithPath: junk))
        defer { try? FileManager.default.removeItem(atPath: junk) }
        let free = QUICAddress.loopback(port: 0)
        let steps: [(fails: Bool, address: QUICAddress, adjust: (inout QUICConfiguration) -> Void)] = [
            (true, free, { $0.congestionControl = "warp" }),
            (true, free, { $0.credentials = .memory(certificate: one.certificatePEM, key: two.privateKeyPEM) }),
            (true, free, { $0.verification = .authority(file: junk) }),
            (true, taken, { _ in }),
            (false, free, { _ in }),
        ]
        for (number, step) in steps.enumerated() {
            weak var watched: Token?
            do {
                let token = Token()
                watched = token
                var configuration = QUICConfiguration(applicationProtocols: ["x"], credentials: .selfSigned(one))
                step.adjust(&configuration)
                let endpoint = PicoQuicExecutor(configuration: configuration) { _ in
                    withExtendedLifetime(token) { nil }
                }
                do throws(QUICError) {
                    try await endpoint.start(on: step.address)
                    #expect(!step.fails, "step \(number) did not fail")
                    await endpoint.stop()
                } catch {
                    #expect(step.fails, "step \(number): \(error)")
                }
            }
            #expect(watched == nil, "step \(number) kept something")
        }
        await occupied.stop()
    }

    @Test("A queue of datagrams is asked for as often as it has datagrams")
    func datagramQuestions() async throws {
        let certificate = try SelfSignedCertificate()
        let atServer = EventLog()
        let atClient = EventLog()
        let server = self.server(certificate: certificate, log: atServer)
        let address = try await server.start(on: .loopback(port: 0))
        let client = try await self.client(of: certificate)
        let bound = try await client.connect(to: "127.0.0.1", port: address.port) { _ in
            LoggingDelegate(log: atClient)
        }
        await atClient.wait { $0.contains("ready") }
        try await client.loop.run {
            let connection = bound.value
            guard let delegate = connection.delegate as? LoggingDelegate else {
                throw QUICError(.connectionClosed, "the connection has no delegate")
            }
            try delegate.send(datagrams: (1...10).map { [UInt8](repeating: 0, count: $0) }, on: connection)
        }
        await atServer.wait { $0.contains("datagram 10") }
        // Another exchange, in which an idle queue could be asked again.
        try await client.loop.run {
            let connection = bound.value
            try (connection.delegate as? LoggingDelegate)?.send([1], on: connection)
        }
        await atClient.wait { $0.contains("released") }
        #expect(atClient.events.filter { $0 == "asked for a datagram" }.count == 10)
        #expect(atServer.events.filter { $0.hasPrefix("datagram") } == (1...10).map { "datagram \($0)" })
        await client.stop()
        await server.stop()
    }
}
