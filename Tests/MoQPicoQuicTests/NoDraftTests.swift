// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import PacketLoop
import TestSupport
import Testing

@testable import MoQPicoQuic
@testable import PicoQuic

/// Clients on plain QUIC that speak no draft.
@Suite("Clients without a draft", .tags(.network), .timeLimit(.minutes(1)))
struct NoDraftTests {
    /// Remembers how its connection ended.
    private final class Ending: QUICConnectionDelegate {
        let journal: Journal

        init(journal: Journal) {
            self.journal = journal
        }

        func connection(_ connection: QUICConnection, didClose info: QUICCloseInfo) {
            self.journal.note { $0.endings.append(info) }
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
        func connection(
            _ connection: QUICConnection,
            stream: UInt64,
            token: UInt64,
            peerStoppedSendingWith code: UInt64
        ) {}
        func connection(
            _ connection: QUICConnection,
            stream: UInt64,
            token: UInt64,
            prepareToSend slot: inout QUICStreamSlot
        ) {}
        func connection(_ connection: QUICConnection, prepareDatagram slot: inout QUICDatagramSlot) {}
        func connection(_ connection: QUICConnection, didReceiveDatagram bytes: RawSpan) {}
        func connection(_ connection: QUICConnection, stream: UInt64, wasReleasedWithToken token: UInt64) {}
    }

    private func client(_ certificate: SelfSignedCertificate) async throws -> PicoQuicExecutor {
        var configuration = QUICConfiguration(applicationProtocols: ["foo"])
        configuration.verification = .pinned([certificate.fingerprint])
        let client = PicoQuicExecutor(configuration: configuration)
        try await client.start()
        return client
    }

    @Test(
        "A client that offers no protocol that is spoken gets no session, an error at once, and a line in the log",
        arguments: [["foo"], ["foo", "bar"]]
    )
    func refused(protocols: [String]) async throws {
        let certificate = try SelfSignedCertificate()
        let log = LogRecorder()
        let atServer = Journal()
        let server = MoQPicoQuicServer(
            configuration: MoQEndpointConfiguration(credentials: .selfSigned(certificate)),
            log: log.logger
        ) { _ in
            { _, _ in
                atServer.note { $0.setups += 1 }
                return nil
            }
        }
        let address = try await server.start(on: .loopback(port: 0))
        let client = try await self.client(certificate)
        let start = ContinuousClock.now
        let error = await #expect(throws: QUICError.self) {
            try await client.connect(to: address.host, port: address.port, applicationProtocols: protocols) { _ in
                Ending(journal: Journal())
            }
        }
        // The handshake ends with the alert no_application_protocol, as RFC 9001 section 8.1 demands.
        #expect(error?.code == .noCommonProtocol)
        #expect(error?.wireCode == 0x178)
        #expect(ContinuousClock.now - start < .seconds(2))
        await client.stop()
        await server.stop()
        #expect(atServer.facts.setups == 0)
        #expect(log.lines.count == 1)
        let line = log.lines.first ?? ""
        #expect(line.contains("client refused: it offers no application protocol that is spoken here"))
        #expect(line.contains("count=\(protocols.count)"))
        #expect(line.contains("peer=127.0.0.1:"))
        for name in protocols {
            #expect(line.contains("\"\(name)\""))
        }
    }

    @Test("A client that offers no protocol at all is refused and logged in the same way; our own cannot be one")
    func nothingOffered() async throws {
        let log = LogRecorder()
        let configuration = QUICConfiguration(applicationProtocols: ["moqt-18"])
        let context = try QUICContext(
            configuration: configuration,
            loop: PacketLoop(label: "no draft"),
            log: log.logger,
            acceptor: nil
        )
        defer { context.free() }
        // The index of the choice among none offers: none.
        let choice = unsafe picoquicSelectProtocol(context.raw, nil, 0)
        #expect(choice == 0)
        #expect(log.lines.count == 1)
        #expect(log.lines.first?.contains("offers no application protocol that is spoken here count=0") == true)

        let client = PicoQuicExecutor(configuration: configuration)
        try await client.start()
        let error = await #expect(throws: QUICError.self) {
            try await client.connect(to: "127.0.0.1", port: 9, applicationProtocols: []) { _ in
                Ending(journal: Journal())
            }
        }
        #expect(error?.code == .invalidConfiguration)
        await client.stop()
    }

    @Test("A connection whose protocol is no draft of ours is closed with VERSION_NEGOTIATION_FAILED, and logged")
    func turnedAway() async throws {
        let certificate = try SelfSignedCertificate()
        let log = LogRecorder()
        let logger = log.logger
        // An endpoint that agrees on what the sessions above it do not speak.
        let server = PicoQuicExecutor(
            configuration: QUICConfiguration(applicationProtocols: ["foo"], credentials: .selfSigned(certificate))
        ) { connection in
            ServerDesk.turnAway(connection, log: logger)
            return nil
        }
        let address = try await server.start(on: .loopback(port: 0))
        let client = try await self.client(certificate)
        let journal = Journal()
        try await client.connect(to: address.host, port: address.port) { _ in Ending(journal: journal) }
        await journal.wait { $0.endings.count == 1 }
        #expect(
            journal.facts.endings == [
                QUICCloseInfo(kind: .peer, code: 0x15, reason: "no draft goes with \"foo\"")
            ]
        )
        #expect(log.lines.count == 1)
        #expect(log.lines.first?.contains("no draft goes with its application protocol") == true)
        #expect(log.lines.first?.contains("protocol=\"foo\"") == true)
        await client.stop()
        await server.stop()
    }
}
