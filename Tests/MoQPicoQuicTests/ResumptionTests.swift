// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQPicoQuic
import MoQWire
import PacketLoop
import PicoQuic
import TestSupport
import Testing
import WebTransport
import WebTransportPicoQuic

@Suite("Sessions that come back", .tags(.network), .timeLimit(.minutes(2)))
struct ResumptionTests {
    private static let track = FullTrackName(namespace: TrackNamespace(["a"]), name: "t")

    private func configuration(
        _ stage: Stage,
        _ profile: DraftProfile,
        _ store: QUICTicketStore
    )
        -> MoQEndpointConfiguration
    {
        var configuration = MoQEndpointConfiguration(drafts: [profile.version])
        configuration.quic.verification = .pinned([stage.certificate.fingerprint])
        configuration.quic.ticketStore = store
        return configuration
    }

    private func connect(
        _ stage: Stage,
        _ profile: DraftProfile,
        _ store: QUICTicketStore,
        port: UInt16,
        journal: Journal
    ) async throws -> MoQPicoQuicClient {
        try await MoQPicoQuicClient.connect(
            to: MoQURL("moqt://127.0.0.1:\(port)"),
            configuration: self.configuration(stage, profile, store)
        ) { _ in
            TestPeer(journal: journal)
        }
    }

    private func hasTicket(_ store: QUICTicketStore) async throws {
        let deadline = ContinuousClock.now.advanced(by: .seconds(10))
        while store.ticketCount == 0 {
            try #require(ContinuousClock.now < deadline, "no ticket came")
            await Task.yield()
        }
    }

    @Test("With a ticket SETUP is read before the server's first answer has arrived", arguments: DraftProfile.all)
    func savedRoundTrip(profile: DraftProfile) async throws {
        let stage = try await Stage()
        let store = QUICTicketStore()
        let recorder = try FlightRecorder(to: stage.address.port, holdsAnswers: true)
        let journal = Journal()
        // Without one the server has all of the client's first flight, and has answered it, and knows nothing yet.
        async let first = self.connect(stage, profile, store, port: recorder.port, journal: journal)
        await self.answered(recorder)
        #expect(stage.atServer.facts.setups == 0)
        recorder.releaseAnswers()
        let plain = try await first
        #expect(!plain.isResumed)
        #expect(plain.earlyData == .none)
        await journal.wait { $0.setups == 1 }
        await stage.atServer.wait { $0.setups == 1 }
        try await self.hasTicket(store)
        await plain.close()

        recorder.holdAnswers()
        async let second = self.connect(stage, profile, store, port: recorder.port, journal: journal)
        await stage.atServer.wait { $0.setups == 2 }
        #expect(journal.facts.setups == 1)
        recorder.releaseAnswers()
        let resumed = try await second
        #expect(resumed.isResumed)
        #expect(resumed.earlyData == .accepted)
        #expect(resumed.draft == profile.version)
        try await resumed.withSession { session in
            _ = session.subscribe(
                SubscribeRequest(track: Self.track),
                consumer: TestConsumer(journal: journal),
                response: { _ in }
            )
        }
        await journal.wait { $0.trackEnds == 1 }
        #expect(journal.facts.payloads == [TestPeer.payload])
        #expect(stage.atServer.facts.setups == 2)
        await resumed.close()
        await stage.server.stop()
        recorder.stop()
    }

    /// Waits until the server has answered something that is held back.
    private func answered(_ recorder: FlightRecorder) async {
        let deadline = ContinuousClock.now.advanced(by: .seconds(10))
        while recorder.heldAnswers == 0, ContinuousClock.now < deadline {
            await Task.yield()
        }
        #expect(recorder.heldAnswers > 0)
    }

    @Test(
        "A server that refuses early data gets SETUP once more, and the session comes up",
        arguments: DraftProfile.all
    )
    func refused(profile: DraftProfile) async throws {
        let key = [UInt8](repeating: 3, count: 32)
        let first = try await Stage { $0.ticketKeys = [key] }
        let store = QUICTicketStore()
        let journal = Journal()
        let client = try await self.connect(first, profile, store, port: first.address.port, journal: journal)
        try await self.hasTicket(store)
        await client.close()
        await first.server.stop()
        // The same server with other keys: what it cannot open it cannot take.
        var configuration = first.server.configuration
        configuration.quic.ticketKeys = [[UInt8](repeating: 4, count: 32)]
        let atSecond = Journal()
        let second = MoQPicoQuicServer(configuration: configuration) { loop in
            { transport, profile in
                let session = MoQSession(
                    transport: transport,
                    loop: loop,
                    profile: profile,
                    handler: TestPeer(journal: atSecond)
                )
                session.start()
                return session
            }
        }
        try await second.start(on: first.address)
        let again = try await self.connect(first, profile, store, port: first.address.port, journal: journal)
        #expect(!again.isResumed)
        #expect(again.earlyData == .refused)
        try await again.withSession { session in
            _ = session.subscribe(
                SubscribeRequest(track: Self.track),
                consumer: TestConsumer(journal: journal),
                response: { _ in }
            )
        }
        await journal.wait { $0.trackEnds == 1 }
        #expect(atSecond.facts.setups == 1)
        await again.close()
        await second.stop()
    }

    @Test("Requests in the first flight wait until the client has proved to be there", arguments: DraftProfile.all)
    func heldRequests(profile: DraftProfile) async throws {
        let stage = try await Stage { $0.handshakeTimeout = .seconds(1) }
        let store = QUICTicketStore()
        let recorder = try FlightRecorder(to: stage.address.port)
        let client = try await self.connect(stage, profile, store, port: recorder.port, journal: Journal())
        try await self.hasTicket(store)
        // A ticket may come before the client has sent anything of its own.
        await stage.atServer.wait { $0.setups == 1 }
        await client.close()
        await stage.atServer.wait { $0.closures.count == 1 }

        // A client that sends SETUP and SUBSCRIBE with its first flight.
        let before = recorder.flights.count
        recorder.holdAnswers()
        var configuration = self.configuration(stage, profile, store).quic
        configuration.applicationProtocols = [profile.version.alpn]
        configuration.adopt(.init())
        let eager = PicoQuicExecutor(label: "eager", configuration: configuration)
        let loop = eager.loop
        try await eager.start()
        let port = recorder.port
        async let connected = eager.connect(to: "127.0.0.1", port: port) { connection in
            let transport = PicoQuicWebTransport(connection: connection, loop: loop)
            if let attacker = try? Attacker(transport, profile: profile, setsUp: true, journal: Journal()) {
                try? attacker.request(id: RequestID(0))
            }
            return transport
        }
        await stage.atServer.wait { $0.setups == 2 }
        #expect(stage.atServer.facts.subscribes == 0)
        let flight = Array(recorder.flights[before...])
        recorder.releaseAnswers()
        let bound = try await connected
        #expect(try await loop.run { bound.value.earlyData } == .accepted)
        await stage.atServer.wait { $0.subscribes == 1 }
        await eager.stop()
        await stage.atServer.wait { $0.closures.count == 2 }

        // The same bytes once more, from somebody else: no more than SETUP comes of it, and it ends with the handshake.
        try recorder.replay(flight)
        await stage.atServer.wait { $0.setups == 3 }
        await stage.atServer.wait { $0.closures.count == 3 }
        #expect(stage.atServer.facts.subscribes == 1)
        #expect(stage.atServer.facts.closures.last?.isClean == false)
        await stage.server.stop()
        recorder.stop()
    }
}
