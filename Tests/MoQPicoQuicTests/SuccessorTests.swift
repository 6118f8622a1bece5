// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQPicoQuic
import MoQWire
import PacketLoop
import PicoQuic
import Testing
import WebTransport

@Suite("Going where a server says", .timeLimit(.minutes(1)))
struct SuccessorTests {
    /// Asks every client to go to `uri` as soon as it is there.
    private final class LeavingPeer: MoQSessionHandler {
        private let uri: String?
        private let journal: Journal

        init(uri: String?, journal: Journal) {
            self.uri = uri
            self.journal = journal
        }

        func sessionDidSetUp(_ session: MoQSession) {
            self.journal.note { $0.paths.append(session.peerSetup?.path ?? "") }
            session.sendGoaway(newSessionURI: self.uri)
        }

        func session(_ session: MoQSession, didReceive request: IncomingSubscribe) {}
        func session(_ session: MoQSession, didReceive request: IncomingPublish) {}
        func session(_ session: MoQSession, didReceive request: IncomingPublishNamespace) {}
        func session(_ session: MoQSession, didReceive request: IncomingSubscribeNamespace) {}
        func session(_ session: MoQSession, didReceiveGoaway uri: String?, timeout: Duration?) {}
        func session(_ session: MoQSession, didClose closure: MoQSessionClosure) {}
    }

    /// A server whose sessions have such a handler.
    private static func leaving(
        to uri: String?,
        _ journal: Journal
    ) -> @Sendable (PacketLoop) -> MoQPicoQuicServer.Acceptor {
        { loop in
            { transport, profile in
                let session = MoQSession(
                    transport: transport,
                    loop: loop,
                    profile: profile,
                    handler: LeavingPeer(uri: uri, journal: journal)
                )
                session.start()
                return session
            }
        }
    }

    @Test("A client finds the successor of its server, asks there anew, and leaves", arguments: DraftProfile.all)
    func moves(profile: DraftProfile) async throws {
        let next = try await Stage()
        let leaving = Journal()
        let first = try await Stage(makeAcceptor: Self.leaving(to: next.url + "/after", leaving))
        var configuration = first.configuration(drafts: [profile.version])
        configuration.quic.verification = .pinned([first.certificate.fingerprint, next.certificate.fingerprint])
        let client = try await MoQPicoQuicClient.connect(
            to: MoQURL(first.url + "/before"),
            configuration: configuration
        )
        let successor = try await client.successor()
        #expect(try await client.withSession { $0.isOpen && $0.isGoingAway })
        let track = FullTrackName(namespace: TrackNamespace(["a", "b"]), name: "t")
        let reader = try await successor.session.subscribe(SubscribeRequest(track: track))
        await client.close()
        var payloads: [[UInt8]] = []
        for try await object in reader {
            payloads.append(object.payload.array)
        }
        #expect(payloads == [TestPeer.payload])
        #expect(leaving.facts.paths == ["/before"])
        #expect(next.atServer.facts.paths == ["/after"])
        #expect(next.atServer.facts.authorities == [next.authority])
        #expect(next.atServer.facts.drafts == [profile.version])
        await successor.close()
        await first.server.stop()
        await next.server.stop()
    }

    @Test("A server that names no other is connected to again; one that names no URL is an error")
    func sameAndNone() async throws {
        let journal = Journal()
        for uri in [nil, "gopher://nowhere"] {
            let stage = try await Stage(makeAcceptor: Self.leaving(to: uri, journal))
            let client = try await MoQPicoQuicClient.connect(
                to: MoQURL(stage.url + "/same"),
                configuration: stage.configuration()
            )
            if uri == nil {
                let successor = try await client.successor()
                await journal.wait { $0.paths == ["/same", "/same"] }
                await successor.close()
            } else {
                await #expect(throws: MoQURL.ParseError.self) { try await client.successor() }
            }
            await client.close()
            await stage.server.stop()
        }
    }
}
