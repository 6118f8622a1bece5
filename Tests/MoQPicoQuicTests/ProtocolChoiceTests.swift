// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQPicoQuic
import MoQWire
import PacketLoop
import PicoQuic
import Synchronization
import Testing

/// Notes only how its connection ended.
private final class EndWatcher: QUICConnectionDelegate {
    private let onClose: @Sendable (QUICCloseInfo) -> Void

    init(onClose: @escaping @Sendable (QUICCloseInfo) -> Void) {
        self.onClose = onClose
    }

    func connectionIsAlmostReady(_ connection: QUICConnection) {}
    func connectionIsReady(_ connection: QUICConnection) {}
    func connection(
        _ connection: QUICConnection,
        stream: UInt64,
        token: UInt64,
        didReceive bytes: RawSpan,
        isFinished: Bool
    ) {}
    func connection(_ connection: QUICConnection, stream: UInt64, token: UInt64, wasResetWith code: UInt64) {}
    func connection(_ connection: QUICConnection, stream: UInt64, token: UInt64, peerStoppedSendingWith code: UInt64) {}
    func connection(
        _ connection: QUICConnection,
        stream: UInt64,
        token: UInt64,
        prepareToSend slot: inout QUICStreamSlot
    ) {}
    func connection(_ connection: QUICConnection, prepareDatagram slot: inout QUICDatagramSlot) {}
    func connection(_ connection: QUICConnection, didReceiveDatagram bytes: RawSpan) {}
    func connection(_ connection: QUICConnection, stream: UInt64, wasReleasedWithToken token: UInt64) {}

    func connection(_ connection: QUICConnection, didClose info: QUICCloseInfo) {
        self.onClose(info)
    }
}

@Suite("The choice of a draft", .tags(.network), .timeLimit(.minutes(1)))
struct ProtocolChoiceTests {
    private func server(_ certificate: SelfSignedCertificate, sessions: EventCount) -> MoQPicoQuicServer {
        MoQPicoQuicServer(configuration: MoQEndpointConfiguration(credentials: .selfSigned(certificate))) { loop in
            { transport, profile in
                sessions.value.add(1, ordering: .relaxed)
                let session = MoQSession(
                    transport: transport,
                    loop: loop,
                    profile: profile,
                    handler: TestPeer(journal: Journal())
                )
                session.start()
                return session
            }
        }
    }

    private final class EventCount: Sendable {
        let value = Atomic<Int>(0)
    }

    @Test("A server takes the newest draft, in whatever order the client offers them")
    func newest() async throws {
        let certificate = try SelfSignedCertificate()
        let server = self.server(certificate, sessions: EventCount())
        let address = try await server.start(on: .loopback(port: 0))
        let known = DraftProfile.all.map(\.version)
        #expect(known.contains(.draft18) && known.contains(.draft16))
        for drafts in [known, Array(known.reversed())] {
            var configuration = MoQEndpointConfiguration(drafts: drafts)
            configuration.quic.verification = .pinned([certificate.fingerprint])
            let url = try MoQURL("moqt://127.0.0.1:\(address.port)")
            let client = try await MoQPicoQuicClient.connect(to: url, configuration: configuration) { _ in
                TestPeer(journal: Journal())
            }
            #expect(client.draft == .draft18)
            await client.close()
        }
        await server.stop()
    }

    @Test("A client that names no protocol gets no session, and its connection is closed")
    func noProtocol() async throws {
        let certificate = try SelfSignedCertificate()
        let sessions = EventCount()
        let server = self.server(certificate, sessions: sessions)
        let address = try await server.start(on: .loopback(port: 0))
        var configuration = QUICConfiguration(applicationProtocols: ["unused"])
        configuration.verification = .pinned([certificate.fingerprint])
        let client = PicoQuicExecutor(configuration: configuration)
        try await client.start()
        let ends = AsyncStream<QUICCloseInfo>.makeStream()
        do throws(QUICError) {
            try await client.connect(to: "127.0.0.1", port: address.port, applicationProtocols: []) { _ in
                EndWatcher { ends.continuation.yield($0) }
            }
            var iterator = ends.stream.makeAsyncIterator()
            let end = await iterator.next()
            #expect(end?.kind == .peer)
        } catch {
            // A handshake that fails for it is as good.
            #expect(error.code == .noCommonProtocol || error.code == .refused)
        }
        #expect(sessions.value.load(ordering: .relaxed) == 0)
        await client.stop()
        await server.stop()
    }
}
