// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import PicoQuic
import Testing
import WebTransport

@testable import WebTransportPicoQuic

@Suite("Sessions on raw QUIC", .timeLimit(.minutes(1)))
struct RawQUICTests {
    /// Watches an object from another thread than its own. Unchecked because only its loop looks at it.
    private final class Watch: @unchecked Sendable {
        weak var session: PicoQuicWebTransport?
        weak var stream: SendStream?
    }

    @Test("a session knows its protocol, its addresses and its path")
    func facts() async throws {
        try await TransportKind.rawQUIC.withPair { pair in
            try await pair.client { peer in
                let stream = try peer.session.openUnidirectionalStream(priority: .default)
                try stream.write(Bytes(pattern(100_000)))
                try stream.finish()
            }
            try await pair.until(.client, "delivery") { $0.session.statistics.streamsLive == 0 }
            for side in [WebTransportRole.client, .server] {
                try await pair.on(side) { peer in
                    #expect(peer.session.role == side)
                    #expect(peer.session.negotiatedProtocol == "conformance")
                    #expect(peer.session.peerAddress.contains("127.0.0.1:"))
                    #expect(peer.session.localAddress.contains(":"))
                    let path = try #require(peer.session.statistics.path)
                    #expect(path.smoothedRoundTrip > .zero)
                    #expect(path.congestionWindow > 0)
                    #expect(path.packetsSent > 0)
                }
            }
            try await pair.client { #expect(($0.session.statistics.path?.bytesSent ?? 0) > 100_000) }
            try await pair.server { #expect(($0.session.statistics.path?.bytesReceived ?? 0) > 100_000) }
        }
    }

    @Test("the addresses of a session that has ended can still be read")
    func lastAddresses() async throws {
        let fixture = try await PicoQuicFixture(PairConfiguration())
        var before: [WebTransportRole: [String]] = [:]
        for side in [WebTransportRole.client, .server] {
            before[side] = try await fixture.on(side) { [$0.session.localAddress, $0.session.peerAddress] }
        }
        // Each is the other's, wherever a client that is bound to all addresses knows which one it is.
        #expect(before[.client]?.last == before[.server]?.first)
        try await fixture.client { $0.session.close(code: 1, reason: "") }
        for side in [WebTransportRole.client, .server] {
            try await fixture.until(side, "the end") { $0.closes.count == 1 }
        }
        await fixture.stopServer(code: 0, reason: "")
        for side in [WebTransportRole.client, .server] {
            // The server's loop has ended, and so has the race for its objects.
            let after = try await fixture.afterwards(side) { [$0.session.localAddress, $0.session.peerAddress] }
            #expect(after == before[side])
        }
        await fixture.finish()
    }

    @Test("a session whose endpoint stops is told of the end before any of its calls fails")
    func toldOfStop() async throws {
        let fixture = try await PicoQuicFixture(PairConfiguration())
        try await fixture.server { Self.openUntilRefused($0) }
        await fixture.stopServer(code: 9, reason: "home")
        let (notes, closes) = try await fixture.afterwards(.server) { ($0.notes, $0.closes) }
        #expect(notes == ["sessionClosed after 1 ends"])
        #expect(closes == [WebTransportCloseInfo(origin: .local, code: 9, reason: "home")])
        await fixture.finish()
    }

    /// Opens a stream again and again until that fails, and notes how many ends the handler was told of by then.
    private static func openUntilRefused(_ peer: Peer) {
        do {
            try peer.session.openUnidirectionalStream(priority: .default).reset(code: 1)
            peer.loop.schedule(after: .milliseconds(1)) { Self.openUntilRefused(peer) }
        } catch {
            peer.notes.append("\(error.code) after \(peer.closes.count) ends")
        }
    }

    @Test("each way in which a connection ends stays apart in its session, with its code")
    func origins() {
        let infos = QUICCloseInfo.Kind.allCases.map { QUICCloseInfo(kind: $0, code: 0x155) }
        let origins = infos.map { WebTransportCloseInfo($0).origin }
        #expect(Set(origins).count == QUICCloseInfo.Kind.allCases.count)
        #expect(!origins.contains(.transport(.other)))
        #expect(infos.allSatisfy { WebTransportCloseInfo($0).code == 0x155 })
        // What was not meant has words, even if the peer gave none.
        for (info, origin) in zip(infos, origins) where origin != .local && origin != .peer {
            #expect(!WebTransportCloseInfo(info).reason.isEmpty)
        }
        let given = WebTransportCloseInfo(QUICCloseInfo(kind: .peer, code: 7, reason: "enough"))
        #expect(given == WebTransportCloseInfo(origin: .peer, code: 7, reason: "enough"))
    }

    @Test("a large transfer is asked for without waste, in both directions at once")
    func volume() async throws {
        let payload = Bytes(pattern(10_000_000, seed: 4))
        try await TransportKind.rawQUIC.withPair { pair in
            for side in [WebTransportRole.client, .server] {
                try await pair.on(side) { peer in
                    let stream = try peer.session.openUnidirectionalStream(priority: .default)
                    try stream.write(payload)
                    try stream.finish()
                }
            }
            for side in [WebTransportRole.client, .server] {
                try await pair.until(side, "the end") { $0.onlyReader?.isFinished == true }
                try await pair.until(side, "no live stream") { $0.session.statistics.streamsLive == 0 }
                try await pair.on(side) { peer in
                    let reader = try #require(peer.onlyReader)
                    #expect(Bytes(reader.bytes) == payload)
                    let statistics = peer.session.statistics
                    #expect(statistics.emptyOffers == 0)
                    #expect(statistics.refusedOffers == 0)
                    #expect(statistics.staleEvents == 0)
                    #expect(statistics.misdirectedEvents == 0)
                    #expect(statistics.activations == 1)
                    // About one per eighth of a window, for the stream and far fewer for the session.
                    #expect(statistics.windowUpdates < 200)
                }
            }
        }
    }

    @Test("nothing of a session is left after its end", arguments: [WebTransportRole.client, .server])
    func release(closer: WebTransportRole) async throws {
        let other: WebTransportRole = closer == .client ? .server : .client
        let fixture = try await PicoQuicFixture(PairConfiguration())
        let watches = [WebTransportRole.client: Watch(), .server: Watch()]
        for side in [closer, other] {
            try await fixture.on(side) { peer in
                let stream = try peer.session.openBidirectionalStream(priority: .default)
                try stream.send.write(Bytes(pattern(50_000)))
                peer.streams["a"] = stream.send
                watches[side]?.session = peer.session as? PicoQuicWebTransport
                watches[side]?.stream = stream.send
            }
        }
        for side in [closer, other] {
            try await fixture.until(side, "the other's stream") { !$0.opened.isEmpty }
            try await fixture.on(side) { _ in #expect(watches[side]?.session != nil) }
        }
        try await fixture.on(closer) { $0.session.close(code: 1, reason: "done") }
        try await fixture.until(other, "the end") { $0.closes.count == 1 }
        await fixture.finish()
        for side in [closer, other] {
            #expect(watches[side]?.session == nil)
            #expect(watches[side]?.stream == nil)
        }
    }

    @Test("when an endpoint stops, both sides hear of it")
    func stop() async throws {
        let fixture = try await PicoQuicFixture(PairConfiguration())
        try await fixture.client { peer in
            let stream = try peer.session.openUnidirectionalStream(priority: .default)
            try stream.write(Bytes(utf8: "open"))
        }
        try await fixture.until(.server, "the stream") { !$0.opened.isEmpty }
        await fixture.stopServer(code: 17, reason: "going down")
        try await fixture.until(.client, "the end") { !$0.closes.isEmpty }
        try await fixture.client { peer in
            #expect(peer.closes == [WebTransportCloseInfo(origin: .peer, code: 17, reason: "going down")])
        }
        await fixture.finish()
    }
}
