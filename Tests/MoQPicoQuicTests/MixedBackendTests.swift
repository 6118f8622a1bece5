// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQPicoQuic
import MoQRelay
import MoQWire
import PacketLoop
import PicoQuic
import Testing

@Suite("Two backends at once", .tags(.network), .timeLimit(.minutes(1)))
struct MixedBackendTests {
    /// Where the publisher and the subscriber connect, and what they speak.
    struct Casting: Sendable, CustomTestStringConvertible {
        var publisher: Backend
        var subscriber: Backend
        var publisherDraft: DraftVersion
        var subscriberDraft: DraftVersion

        var testDescription: String {
            "\(self.publisherDraft) \(self.publisher) to \(self.subscriberDraft) \(self.subscriber)"
        }

        static let all: [Casting] = DraftProfile.all.map(\.version).flatMap { first in
            DraftProfile.all.map(\.version).flatMap { second in
                [
                    Casting(
                        publisher: .inProcess,
                        subscriber: .rawQUIC,
                        publisherDraft: first,
                        subscriberDraft: second
                    ),
                    Casting(
                        publisher: .rawQUIC,
                        subscriber: .inProcess,
                        publisherDraft: first,
                        subscriberDraft: second
                    ),
                ]
            }
        }
    }

    private let certificate: SelfSignedCertificate

    init() throws {
        self.certificate = try SelfSignedCertificate()
    }

    private func connect(
        _ backend: Backend,
        _ draft: DraftVersion,
        to server: MoQPicoQuicServer,
        at address: QUICAddress,
        journal: Journal
    ) async throws -> MoQPicoQuicClient {
        var configuration = MoQEndpointConfiguration(drafts: [draft])
        configuration.quic.verification = .pinned([self.certificate.fingerprint])
        switch backend {
        case .inProcess:
            return try await MoQPicoQuicClient.connect(to: server, configuration: configuration) { _ in
                TestPeer(journal: journal)
            }
        case .rawQUIC:
            let url = try MoQURL("moqt://127.0.0.1:\(address.port)")
            return try await MoQPicoQuicClient.connect(to: url, configuration: configuration) { _ in
                TestPeer(journal: journal)
            }
        }
    }

    @Test("A relay passes a track from a client of one backend to a client of the other", arguments: Casting.all)
    func relay(casting: Casting) async throws {
        let server = MoQPicoQuicServer(
            configuration: MoQEndpointConfiguration(credentials: .selfSigned(self.certificate))
        ) { loop in
            let relay = MoQRelay(loop: loop)
            return { transport, profile in relay.accept(transport, profile: profile) }
        }
        let listeners = try await server.start([.rawQUIC(.loopback(port: 0)), .inProcess])
        let address = try #require(listeners[0].address)
        #expect(address.port != 0)
        #expect(listeners[1] == .inProcess)
        let namespace = TrackNamespace(["live"])

        let atPublisher = Journal()
        let publisher = try await self.connect(
            casting.publisher,
            casting.publisherDraft,
            to: server,
            at: address,
            journal: atPublisher
        )
        try await publisher.withSession { session in
            _ = session.publishNamespace(namespace) { answer in
                if case .success = answer {
                    atPublisher.note { $0.announcements += 1 }
                }
            }
        }
        await atPublisher.wait { $0.announcements == 1 }

        let atSubscriber = Journal()
        let subscriber = try await self.connect(
            casting.subscriber,
            casting.subscriberDraft,
            to: server,
            at: address,
            journal: atSubscriber
        )
        let track = FullTrackName(namespace: namespace, name: "t")
        try await Stage.subscribe(subscriber, to: track, journal: atSubscriber)
        await atSubscriber.wait { $0.trackEnds == 1 }
        #expect(atSubscriber.facts.payloads == [TestPeer.payload])
        #expect(await server.connectionCounts() == (live: 2, total: 2))

        // The client in the process lives on the server's loop, of which there is one; the other has its own.
        let local = casting.publisher == .inProcess ? publisher : subscriber
        let remote = casting.publisher == .inProcess ? subscriber : publisher
        #expect(server.loops.count == 1)
        #expect(local.loop === server.loop)
        #expect(remote.loop !== server.loop)

        await subscriber.close()
        await publisher.close()
        await server.stop()
    }

    @Test("A server that does not listen in process takes no client of its process")
    func notListening() async throws {
        let stage = try await Stage(backend: .rawQUIC)
        let error = await #expect(throws: QUICError.self) {
            _ = try await MoQPicoQuicClient.connect(to: stage.server) { _ in TestPeer(journal: Journal()) }
        }
        #expect(error?.message.contains("in process") == true)
        let outside = await #expect(throws: QUICError.self) {
            _ = try await MoQPicoQuicClient.connect(to: stage.server, shard: 1) { _ in TestPeer(journal: Journal()) }
        }
        #expect(outside?.code == .invalidConfiguration)
        await stage.server.stop()
        let late = await #expect(throws: QUICError.self) {
            _ = try await MoQPicoQuicClient.connect(to: stage.server) { _ in TestPeer(journal: Journal()) }
        }
        #expect(late?.code == .stopped)
    }

    @Test("More clients of the process than there may be connections are refused, and one that left makes room")
    func limit() async throws {
        var configuration = MoQEndpointConfiguration()
        configuration.quic.maximumConnections = 2
        let server = MoQPicoQuicServer(configuration: configuration) { loop in
            { transport, profile in
                let handler = TestPeer(journal: Journal())
                let session = MoQSession(transport: transport, loop: loop, profile: profile, handler: handler)
                session.start()
                return session
            }
        }
        try await server.start([.inProcess])
        @Sendable func connect() async throws -> MoQPicoQuicClient {
            try await MoQPicoQuicClient.connect(to: server) { _ in TestPeer(journal: Journal()) }
        }
        let first = try await connect()
        let second = try await connect()
        let error = await #expect(throws: QUICError.self) { _ = try await connect() }
        #expect(error?.code == .refused)
        await first.close()
        let end = ContinuousClock.now.advanced(by: .seconds(5))
        while await server.connectionCounts().live > 1, ContinuousClock.now < end {}
        let third = try await connect()
        #expect(await server.connectionCounts() == (live: 2, total: 3))
        await #expect(throws: PacketLoopError.self) { try await first.withSession { _ in } }
        await second.close()
        await third.close()
        await server.stop()
    }
}
