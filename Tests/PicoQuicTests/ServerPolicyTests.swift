// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import PacketLoop
import Testing

@testable import PicoQuic

/// What a server's configuration does that only shows on the wire or between two servers.
@Suite("Server policies over loopback sockets", .tags(.network), .timeLimit(.minutes(2)))
struct ServerPolicyTests {
    @Test("A server that always asks for a proof of address answers with Retry first; by default none does")
    func retry() async throws {
        for policy in [QUICConfiguration.RetryPolicy.always, .whenLoadedWithTokens, .whenLoaded] {
            let fixture = try await Fixture(adjust: { $0.retryPolicy = policy })
            let proxy = try UDPProxy(to: fixture.address.port)
            let link = try await fixture.connect(port: proxy.port)
            let stream = try await link.send([1, 2, 3])
            await link.witness.wait { $0.finished.contains(stream) }
            // A long header of version 1 whose type is Retry (RFC 9000 section 17.2.5).
            let isRetry = proxy.firstBytesFromServer.map { $0 & 0xf0 == 0xf0 }
            #expect(isRetry.first == (policy == .always))
            #expect(!isRetry.dropFirst().contains(true))
            await fixture.stop()
            proxy.stop()
        }
    }

    @Test("Connections that began with a Retry are logged like any other")
    func retryWithLog() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let fixture = try await Fixture(adjust: { configuration in
            configuration.retryPolicy = .always
            configuration.qlogDirectory = folder.path
        })
        let count = 10
        for _ in 0..<count {
            let link = try await fixture.connect()
            let stream = try await link.send([1, 2, 3])
            await link.witness.wait { $0.finished.contains(stream) }
        }
        await fixture.stop()
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(files.filter { $0.hasSuffix(".qlog") }.count >= count)
    }

    @Test("After a restart with the same seed a client's connection is reset at once, with another seed it is not")
    func statelessReset() async throws {
        let seed = [UInt8](1...16)
        for nextSeed in [seed, seed.reversed()] {
            let fixture = try await Fixture(adjust: { configuration in
                configuration.statelessResetSeed = seed
                configuration.idleTimeout = .seconds(2)
                configuration.keepAlive = nil
            })
            let proxy = try UDPProxy(to: fixture.address.port)
            let link = try await fixture.connect(port: proxy.port)
            let stream = try await link.send([1])
            await link.witness.wait { $0.finished.contains(stream) }

            // The first server goes without the client's knowledge; the second knows nothing of the connection.
            proxy.cut(true)
            await fixture.server.stop()
            var configuration = fixture.server.configuration
            configuration.statelessResetSeed = nextSeed
            let second = PicoQuicExecutor(configuration: configuration) { _ in
                EchoDelegate(witness: Witness(), echoes: true)
            }
            try await second.start(on: fixture.address)
            proxy.cut(false)
            _ = try await link.send([UInt8](repeating: 2, count: 500))
            await link.witness.wait { !$0.closes.isEmpty }
            let expected: QUICCloseInfo.Kind = nextSeed == seed ? .statelessReset : .idleTimeout
            #expect(link.witness.state.closes.first?.kind == expected)
            await second.stop()
            await fixture.stop()
            proxy.stop()
        }
    }

    @Test("The address that is asked for is the one that is listened on, and no other")
    func boundAddress() async throws {
        let fixture = try await Fixture(listen: QUICAddress(host: "127.0.0.2", port: 0))
        let link = try await fixture.connect()
        #expect(try await link.run { connection, _ in connection.peerAddress } == fixture.address)
        #expect(fixture.address.host == "127.0.0.2")
        // The same port is free at another address, so not all of them are taken.
        let neighbour = PicoQuicExecutor(configuration: QUICConfiguration(applicationProtocols: ["x"]))
        let beside = try await neighbour.start(on: .loopback(port: fixture.address.port))
        #expect(beside.port == fixture.address.port)
        await neighbour.stop()
        await fixture.stop()
    }

    @Test("The IPv6 loopback address works", .enabled(if: SocketPlan.hasIPv6))
    func loopback6() async throws {
        let fixture = try await Fixture(listen: QUICAddress(host: "[::1]", port: 0))
        let link = try await fixture.connect()
        let stream = try await link.send([1, 2, 3])
        await link.witness.wait { $0.finished.contains(stream) }
        #expect(try await link.run { connection, _ in connection.peerAddress } == fixture.address)
        #expect(try await link.run { connection, _ in connection.localAddress?.host } == "::1")
        await fixture.stop()
    }

    @Test("All addresses have the same port, whatever their family")
    func everyAddress() async throws {
        let fixture = try await Fixture(listen: .any(port: 0))
        for host in ["127.0.0.1", "::1"] where host != "::1" || SocketPlan.hasIPv6 {
            let link = try await fixture.connect(host: host)
            #expect(try await link.run { connection, _ in connection.peerAddress?.host } == host)
        }
        await fixture.stop()
    }

    @Test("A peer's limit of streams is known, and streams beyond it go on when others are over")
    func streamLimits() async throws {
        let fixture = try await Fixture(adjust: { configuration in
            configuration.maximumIncomingUnidirectionalStreams = 2
            configuration.maximumIncomingBidirectionalStreams = 3
        })
        let link = try await fixture.connect()
        let credits = try await link.run { connection, delegate in
            let before = [
                connection.streamCredit(isUnidirectional: true), connection.streamCredit(isUnidirectional: false),
            ]
            for _ in 0..<10 {
                let stream = try connection.openStream(isUnidirectional: true, token: delegate.makeToken())
                delegate.send([9], isFinished: true, stream: stream, on: connection)
            }
            return before + [connection.streamCredit(isUnidirectional: true)]
        }
        #expect(credits == [2, 3, 0])
        await fixture.serverWitness.wait { $0.finished.count == 10 }
        await fixture.stop()
    }

    @Test("Datagrams are as large as the peer's configuration allows, and no larger")
    func datagramSize() async throws {
        let fixture = try await Fixture(adjust: { $0.maximumDatagramFrameSize = 503 })
        let link = try await fixture.connect()
        #expect(try await link.run { connection, _ in connection.maximumDatagramSize } == 500)
        let datagram = [UInt8](repeating: 5, count: 500)
        try await link.run { connection, delegate in try delegate.send(datagram: datagram, on: connection) }
        await link.witness.wait { $0.datagrams == [datagram] }
        await fixture.stop()
    }
}
