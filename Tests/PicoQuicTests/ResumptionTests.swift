// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import TestSupport
import Testing

@testable import PicoQuic

@Suite("Coming back over loopback sockets", .tags(.network), .timeLimit(.minutes(2)))
struct ResumptionTests {
    private static let lowKey = [UInt8](repeating: 0x11, count: 32)
    private static let highKey = [UInt8](repeating: 0xe1, count: 32)
    private static let otherKey = [UInt8](repeating: 0x22, count: 32)

    /// What is sent on each of three streams, in the first flight as far as it fits.
    private static let message = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 / 251 ^ $0) }

    /// A certificate, and a client that remembers.
    private struct Scene {
        let certificate: SelfSignedCertificate
        let store: QUICTicketStore
        let client: PicoQuicExecutor
        var server: PicoQuicExecutor
        let address: QUICAddress

        init(
            store: QUICTicketStore = QUICTicketStore(),
            adjust: (inout QUICConfiguration) -> Void = { _ in },
            client adjustClient: (inout QUICConfiguration) -> Void = { _ in }
        ) async throws {
            self.certificate = try SelfSignedCertificate()
            self.store = store
            var configuration = QUICConfiguration(applicationProtocols: ["echo"])
            configuration.verification = .pinned([self.certificate.fingerprint])
            configuration.ticketStore = store
            configuration.allowsEarlyData = true
            adjustClient(&configuration)
            self.client = PicoQuicExecutor(label: "resuming", configuration: configuration)
            try await self.client.start()
            self.server = Self.makeServer(self.certificate, adjust)
            self.address = try await self.server.start(on: .loopback(port: 0))
        }

        static func makeServer(
            _ certificate: SelfSignedCertificate,
            _ adjust: (inout QUICConfiguration) -> Void
        ) -> PicoQuicExecutor {
            var configuration = QUICConfiguration(
                applicationProtocols: ["other", "echo"],
                credentials: .selfSigned(certificate)
            )
            configuration.allowsEarlyData = true
            configuration.ticketKeys = [ResumptionTests.lowKey]
            configuration.retryPolicy = .whenLoadedWithTokens
            adjust(&configuration)
            return PicoQuicExecutor(configuration: configuration) { _ in
                EchoDelegate(witness: Witness(), echoes: true)
            }
        }

        /// Ends the server and starts another one at its port.
        mutating func restart(_ adjust: (inout QUICConfiguration) -> Void = { _ in }) async throws {
            await self.server.stop()
            self.server = Self.makeServer(self.certificate, adjust)
            try await self.server.start(on: self.address)
        }

        /// Connects, sends messages as early as that is possible, and has them echoed.
        func exchange(port: UInt16? = nil, streams: Int = 3) async throws -> Exchange {
            let witness = Witness()
            let wasEarly = Locked(false)
            let bound = try await self.client.connect(to: self.address.host, port: port ?? self.address.port) {
                connection in
                let delegate = EchoDelegate(witness: witness, echoes: false)
                wasEarly.withLock { $0 = connection.phase == .handshaking }
                for _ in 0..<streams {
                    let token = delegate.makeToken()
                    if let stream = try? connection.openStream(isUnidirectional: false, token: token) {
                        delegate.send(ResumptionTests.message, isFinished: true, stream: stream, on: connection)
                    }
                }
                return delegate
            }
            await witness.wait { $0.finished.count == streams || !$0.closes.isEmpty }
            let loop = self.client.loop
            let (isResumed, earlyData) = try await loop.run { (bound.value.isResumed, bound.value.earlyData) }
            for stream in 0..<streams {
                #expect(witness.state.received[UInt64(4 * stream)] == ResumptionTests.message)
            }
            #expect(witness.state.received.count == streams)
            try await self.hasTicket()
            try await loop.run { bound.value.close(code: 0) }
            await witness.wait { !$0.closes.isEmpty }
            return Exchange(wasEarly: wasEarly.withLock { $0 }, isResumed: isResumed, earlyData: earlyData)
        }

        /// Lets what was kept of the server count for another port that leads to it, or only a part of it.
        func passOn(to port: UInt16, withTicket: Bool = true, withToken: Bool = true) throws {
            let visit = self.store.take(self.key(self.address.port), protocols: ["echo"])
            let ticket = try #require(visit.ticket)
            let token = try #require(visit.token)
            if withTicket {
                self.store.keep(ticket, for: self.key(port))
            }
            if withToken {
                self.store.keep(token: token.bytes, for: self.key(port))
            }
        }

        private func key(_ port: UInt16) -> String {
            self.client.configuration.storeKey("127.0.0.1:\(port)", "127.0.0.1")
        }

        /// Waits until the store has something.
        func hasTicket() async throws {
            let deadline = ContinuousClock.now.advanced(by: .seconds(10))
            while self.store.ticketCount == 0 {
                try #require(ContinuousClock.now < deadline, "no ticket came")
                await Task.yield()
            }
        }

        func stop() async {
            await self.client.stop()
            await self.server.stop()
        }
    }

    private struct Exchange: Equatable {
        var wasEarly: Bool
        var isResumed: Bool
        var earlyData: QUICConnection.EarlyData
    }

    private static let full = Exchange(wasEarly: false, isResumed: false, earlyData: .none)
    private static let early = Exchange(wasEarly: true, isResumed: true, earlyData: .accepted)

    @Test("With a ticket, what is written before the handshake is complete is taken, and arrives whole and in order")
    func accepted() async throws {
        let scene = try await Scene()
        #expect(try await scene.exchange() == Self.full)
        for _ in 0..<5 {
            #expect(try await scene.exchange() == Self.early)
        }
        await scene.stop()
    }

    @Test("A restarted server with the same key resumes; with another one nothing is lost and the handshake is whole")
    func restart() async throws {
        var scene = try await Scene()
        #expect(try await scene.exchange() == Self.full)
        try await scene.restart()
        #expect(try await scene.exchange() == Self.early)
        try await scene.restart { $0.ticketKeys = [Self.otherKey] }
        #expect(try await scene.exchange() == Exchange(wasEarly: true, isResumed: false, earlyData: .refused))
        #expect(try await scene.exchange() == Self.early)
        // Without keys of their own two starts have nothing in common.
        try await scene.restart { $0.ticketKeys = [] }
        #expect(try await scene.exchange() == Exchange(wasEarly: true, isResumed: false, earlyData: .refused))
        await scene.stop()
    }

    @Test("A former key still opens the tickets that it made, and the new one makes the next")
    func rotation() async throws {
        var scene = try await Scene()
        #expect(try await scene.exchange() == Self.full)
        try await scene.restart { $0.ticketKeys = [Self.highKey, Self.lowKey] }
        #expect(try await scene.exchange() == Self.early)
        try await scene.restart { $0.ticketKeys = [Self.highKey] }
        #expect(try await scene.exchange() == Self.early)
        await scene.stop()
    }

    @Test("A server that refuses early data resumes, and gets what was sent early once more")
    func refused() async throws {
        var scene = try await Scene()
        #expect(try await scene.exchange() == Self.full)
        try await scene.restart { $0.allowsEarlyData = false }
        #expect(try await scene.exchange() == Exchange(wasEarly: true, isResumed: true, earlyData: .refused))
        // Its own tickets say so, and the next client does not try.
        #expect(try await scene.exchange() == Exchange(wasEarly: false, isResumed: true, earlyData: .none))
        await scene.stop()
    }

    @Test("Windows that have become smaller since the ticket are kept to, and everything arrives")
    func smallerWindows() async throws {
        var scene = try await Scene()
        #expect(try await scene.exchange() == Self.full)
        try await scene.restart { configuration in
            configuration.streamReceiveWindow = 20_000
            configuration.connectionReceiveWindow = 30_000
        }
        let exchange = try await scene.exchange()
        #expect(exchange.wasEarly)
        #expect(exchange.earlyData == .refused)
        await scene.stop()
    }

    @Test("A Retry in between costs nothing of what was sent early")
    func retry() async throws {
        var scene = try await Scene()
        #expect(try await scene.exchange() == Self.full)
        try await scene.restart { $0.retryPolicy = .always }
        let recorder = try FlightRecorder(to: scene.address.port)
        try scene.passOn(to: recorder.port, withToken: false)
        let exchange = try await scene.exchange(port: recorder.port)
        #expect(exchange.wasEarly && exchange.isResumed)
        #expect(recorder.sawRetry)
        recorder.stop()
        await scene.stop()
    }

    @Test("A client that does not allow early data only resumes; one that keeps no tickets does neither")
    func policies() async throws {
        let scene = try await Scene(client: { $0.allowsEarlyData = false })
        #expect(try await scene.exchange() == Self.full)
        #expect(try await scene.exchange() == Exchange(wasEarly: false, isResumed: true, earlyData: .none))
        await scene.stop()
        let fixture = try await Fixture(adjust: { $0.allowsEarlyData = true })
        for _ in 0..<2 {
            let link = try await fixture.connect()
            let stream = try await link.send([1])
            await link.witness.wait { $0.finished.contains(stream) }
            #expect(try await link.run { connection, _ in connection.isResumed } == false)
        }
        await fixture.stop()
    }

    @Test("A ticket for a protocol that the server has given up costs one attempt at most")
    func otherProtocol() async throws {
        var scene = try await Scene(client: { configuration in
            configuration.applicationProtocols = ["echo", "other"]
            configuration.allowsEarlyData = false
        })
        let first = try await scene.client.connect(to: scene.address.host, port: scene.address.port) { _ in
            EchoDelegate(witness: Witness(), echoes: false)
        }
        try await scene.hasTicket()
        #expect(try await scene.client.loop.run { first.value.applicationProtocol } == "other")
        try await scene.restart { $0.applicationProtocols = ["echo"] }
        // Nothing was sent, so the client asks again without its ticket.
        #expect(try await scene.exchange() == Self.full)
        await scene.stop()
    }

    @Test("Many connections at once share a store: one has the ticket, all get everything through")
    func parallel() async throws {
        let scene = try await Scene()
        #expect(try await scene.exchange() == Self.full)
        let exchanges = try await withThrowingTaskGroup(of: Exchange.self) { group in
            for _ in 0..<8 {
                group.addTask { try await scene.exchange(streams: 1) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(exchanges.contains(Self.early))
        #expect(exchanges.allSatisfy { $0 == Self.early || $0 == Self.full })
        await scene.stop()
    }

    @Test("A ticket counts for the server and for the way of verifying that it came from, and for no other")
    func separation() async throws {
        let scene = try await Scene()
        #expect(try await scene.exchange() == Self.full)
        // The same server under another port is another server.
        let recorder = try FlightRecorder(to: scene.address.port)
        #expect(try await scene.exchange(port: recorder.port) == Self.full)
        recorder.stop()
        // A ticket that nobody verified a certificate for must not stand for one.
        var configuration = scene.client.configuration
        configuration.verification = .insecure
        let careless = PicoQuicExecutor(configuration: configuration)
        try await careless.start()
        let bound = try await careless.connect(to: scene.address.host, port: scene.address.port) { _ in
            EchoDelegate(witness: Witness(), echoes: false)
        }
        #expect(try await careless.loop.run { bound.value.isResumed } == false)
        await careless.stop()
        #expect(try await scene.exchange() == Self.early)
        await scene.stop()
    }

    @Test("An address token spares a client the Retry when it comes back, and the same secrets keep it valid")
    func addressToken() async throws {
        var scene = try await Scene()
        for isKnown in [true, false] {
            _ = try await scene.exchange(streams: 1)
            try await scene.restart { configuration in
                configuration.retryPolicy = .always
                configuration.ticketKeys = [isKnown ? Self.lowKey : Self.otherKey]
            }
            let recorder = try FlightRecorder(to: scene.address.port)
            try scene.passOn(to: recorder.port, withTicket: false)
            #expect(try await scene.exchange(port: recorder.port) == Self.full)
            #expect(recorder.sawRetry == !isKnown)
            recorder.stop()
            try await scene.restart()
        }
        await scene.stop()
    }
}
