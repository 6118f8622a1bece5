// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQPicoQuic
import MoQWire
import PacketLoop
import PicoQuic

/// A server, and the means to connect to it.
struct Stage {
    let backend: Backend
    let certificate: SelfSignedCertificate
    let server: MoQPicoQuicServer
    let address: QUICAddress
    let atServer: Journal

    /// Starts a server over one backend, which answers as ``TestPeer`` does unless told otherwise.
    init(
        drafts: [DraftVersion] = DraftProfile.all.map(\.version),
        backend: Backend = .rawQUIC,
        label: String = "moq-server",
        shards: Int = 1,
        adjust: (inout QUICConfiguration) -> Void = { _ in },
        makeAcceptor: (@Sendable (PacketLoop) -> MoQPicoQuicServer.Acceptor)? = nil
    ) async throws {
        let journal = Journal()
        self.atServer = journal
        self.backend = backend
        self.certificate = try SelfSignedCertificate()
        var configuration = MoQEndpointConfiguration(drafts: drafts, credentials: .selfSigned(self.certificate))
        if shards > 1 {
            configuration.quic.packetLoop = Self.sharingLoop
        }
        adjust(&configuration.quic)
        self.server = MoQPicoQuicServer(
            configuration: configuration,
            label: label,
            shards: shards,
            makeAcceptor: makeAcceptor ?? { loop in
                { transport, profile in
                    let session = MoQSession(
                        transport: transport,
                        loop: loop,
                        profile: profile,
                        handler: TestPeer(journal: journal)
                    )
                    session.start()
                    return session
                }
            }
        )
        let listeners = try await self.server.start([backend.listener])
        self.address = listeners[0].address ?? .loopback(port: 0)
    }

    /// A packet loop of which several can listen at one port, where there is one.
    static let sharingLoop = PacketLoopKind.available.last ?? .standard

    var authority: String { "127.0.0.1:\(self.address.port)" }

    var url: String { "moqt://\(self.authority)" }

    /// What a client of the stage is like.
    func configuration(
        drafts: [DraftVersion] = DraftProfile.all.map(\.version),
        verification: QUICConfiguration.Verification? = nil
    ) -> MoQEndpointConfiguration {
        var configuration = MoQEndpointConfiguration(drafts: drafts)
        configuration.quic.verification = verification ?? .pinned([self.certificate.fingerprint])
        return configuration
    }

    func connect(
        drafts: [DraftVersion] = DraftProfile.all.map(\.version),
        verification: QUICConfiguration.Verification? = nil,
        path: String = "",
        journal: Journal,
        leavesOnGoaway: Bool = true
    ) async throws -> MoQPicoQuicClient {
        let configuration = self.configuration(drafts: drafts, verification: verification)
        switch self.backend {
        case .rawQUIC:
            return try await MoQPicoQuicClient.connect(to: MoQURL(self.url + path), configuration: configuration) { _ in
                TestPeer(journal: journal, leavesOnGoaway: leavesOnGoaway)
            }
        case .inProcess:
            var session = MoQSessionConfiguration()
            session.setup.authority = self.authority
            session.setup.path = path
            return try await MoQPicoQuicClient.connect(
                to: self.server,
                configuration: configuration,
                sessionConfiguration: session
            ) { _ in
                TestPeer(journal: journal, leavesOnGoaway: leavesOnGoaway)
            }
        }
    }

    /// Subscribes to a track; the journal tells of its end.
    static func subscribe(
        _ client: MoQPicoQuicClient,
        to track: FullTrackName = FullTrackName(namespace: TrackNamespace(["a", "b"]), name: "t"),
        journal: Journal
    ) async throws {
        try await client.withSession { session in
            _ = session.subscribe(
                SubscribeRequest(track: track),
                consumer: TestConsumer(journal: journal),
                response: { _ in }
            )
        }
    }
}
