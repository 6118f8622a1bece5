// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import PicoQuic
import TestSupport
import Testing

/// Carries a connection to where it must not be used.
private final class Smuggler: @unchecked Sendable {
    // Unchecked because it does what it is there to show.
    var connection: QUICConnection?
}

@Suite("Confinement to the loop", .tags(.network), .timeLimit(.minutes(2)))
struct ConfinementTests {
    static func connect(_ fixture: Fixture) async throws -> QUICConnection? {
        let smuggler = Smuggler()
        try await fixture.client.connect(to: "127.0.0.1", port: fixture.address.port) { connection in
            smuggler.connection = connection
            return EchoDelegate(witness: Witness(), echoes: false)
        }
        return smuggler.connection
    }

    @Test("A debug build stops at a call to a living connection from another thread", .enabled(if: TestBuild.isDebug))
    func living() async throws {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let fixture = try await Fixture()
            let connection = try #require(try await ConfinementTests.connect(fixture))
            _ = connection.streamCredit(isUnidirectional: true)
            // Not reached. A fixture that was dropped before would stop the process for another reason.
            await fixture.stop()
        }
        let words = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(words.contains("this must be called on the packet loop"))
    }

    @Test("A connection whose endpoint has stopped may be asked and dropped anywhere")
    func ended() async throws {
        let fixture = try await Fixture()
        let connection = try #require(try await Self.connect(fixture))
        await fixture.stop()
        #expect(!connection.isOpen)
        #expect(connection.streamCredit(isUnidirectional: true) == 0)
        #expect(throws: QUICError.self) {
            try connection.openStream(isUnidirectional: true, token: 1)
        }
    }
}
