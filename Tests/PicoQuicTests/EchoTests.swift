// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import PicoQuic
import TestSupport
import Testing

@Suite("Connections over loopback sockets", .tags(.network), .timeLimit(.minutes(2)))
struct EchoTests {
    @Test("Streams of all sizes come back byte for byte, and are released")
    func echo() async throws {
        let fixture = try await Fixture()
        let link = try await fixture.connect()
        var expected: [UInt64: [UInt8]] = [:]
        for size in [0, 1, 1_000, 100_000, 3_000_000] {
            let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ size) }
            expected[try await link.send(bytes)] = bytes
        }
        let wanted = expected
        await link.witness.wait { $0.finished.count == wanted.count }
        let state = link.witness.state
        for (stream, bytes) in wanted {
            #expect(state.received[stream, default: []] == bytes)
        }
        await link.witness.wait { $0.released.count == wanted.count }
        await fixture.stop()
    }

    @Test("The server's preference decides the protocol, and both sides see it")
    func applicationProtocol() async throws {
        let fixture = try await Fixture(serverProtocols: ["b", "a"], clientProtocols: ["z", "a", "b"])
        let link = try await fixture.connect()
        let name = try await link.run { connection, _ in connection.applicationProtocol }
        #expect(name == "b")
        await fixture.stop()
    }

    @Test("A client with no protocol in common is told so at once")
    func noCommonProtocol() async throws {
        let fixture = try await Fixture(clientProtocols: ["foo"])
        let start = ContinuousClock.now
        let error = await #expect(throws: QUICError.self) { _ = try await fixture.connect() }
        #expect(error?.code == .noCommonProtocol)
        #expect(error?.wireCode == 0x178)
        #expect(error?.message.contains("foo") == true)
        #expect(ContinuousClock.now - start < .seconds(2))
        await fixture.stop()
    }

    @Test("Close code and reason arrive, in both directions")
    func closeCodes() async throws {
        let fixture = try await Fixture()
        let first = try await fixture.connect()
        _ = try await first.send([1, 2, 3])
        await first.witness.wait { !$0.finished.isEmpty }
        try await first.run { connection, _ in connection.close(code: 0x1234, reason: "bye \u{1F426}") }
        await fixture.serverWitness.wait { $0.closes.count == 1 }
        let atServer = try #require(fixture.serverWitness.state.closes.first)
        #expect(atServer.kind == .peer)
        #expect(atServer.code == 0x1234)
        #expect(atServer.reason == "bye \u{1F426}")
        await first.witness.wait { $0.closes.count == 1 }
        let atClient = try #require(first.witness.state.closes.first)
        #expect(atClient.kind == .local)
        #expect(atClient.code == 0x1234)

        let second = try await fixture.connect()
        let start = ContinuousClock.now
        await fixture.server.stop(code: 0x77, reason: "closing time")
        await second.witness.wait { $0.closes.count == 1 }
        #expect(ContinuousClock.now - start < .seconds(1))
        let told = try #require(second.witness.state.closes.first)
        #expect(told.kind == .peer)
        #expect(told.code == 0x77)
        #expect(told.reason == "closing time")
        await fixture.stop()
    }

    @Test("RESET_STREAM and STOP_SENDING carry their codes")
    func streamCodes() async throws {
        let fixture = try await Fixture()
        let link = try await fixture.connect()
        let reset = try await link.send([1], isUnidirectional: true, isFinished: false)
        await fixture.serverWitness.wait { $0.received[reset]?.count == 1 }
        try await link.run { connection, _ in try connection.reset(stream: reset, code: 0x3f_ffff_ffff, token: 1) }
        await fixture.serverWitness.wait { $0.resets[reset] == 0x3f_ffff_ffff }

        let stopped = try await link.send([1], isFinished: false)
        await link.witness.wait { $0.received[stopped]?.count == 1 }
        try await link.run { connection, _ in try connection.stopSending(stream: stopped, code: 7, token: 2) }
        await fixture.serverWitness.wait { $0.stops[stopped] == 7 }
        await link.witness.wait { $0.resets[stopped] == 7 }
        await fixture.stop()
    }

    @Test("A copy of a packet is nothing new, however late it comes")
    func copies() async throws {
        let fixture = try await Fixture()
        let recorder = try FlightRecorder(to: fixture.address.port)
        let link = try await fixture.connect(port: recorder.port)
        let before = recorder.flights.count
        try await link.run { connection, delegate in try delegate.send(datagram: [7, 7, 7], on: connection) }
        await link.witness.wait { $0.datagrams.count == 1 }
        let flights = Array(recorder.flights[before...])
        // Until the server has heard that its acknowledgement arrived, and long after.
        for round in 1...20 {
            let stream = try await link.send(Array(repeating: 1, count: 5_000))
            await link.witness.wait { $0.finished.contains(stream) }
            recorder.repeatFlights(flights)
            #expect(fixture.serverWitness.state.datagrams.count == 1, "in round \(round)")
        }
        #expect(link.witness.state.datagrams == [[7, 7, 7]])
        await fixture.stop()
        recorder.stop()
    }

    @Test("Datagrams come back whole and in order; a peer that takes none is known")
    func datagrams() async throws {
        let fixture = try await Fixture()
        let link = try await fixture.connect()
        let sent = (1...20).map { [UInt8](repeating: UInt8($0), count: $0 * 40) }
        let limit = try await link.run { connection, _ in connection.maximumDatagramSize }
        #expect(limit > 1_000 && limit <= 1_536)
        for datagram in sent {
            try await link.run { connection, delegate in try delegate.send(datagram: datagram, on: connection) }
            let count = Int(datagram[0])
            await link.witness.wait { $0.datagrams.count == count }
        }
        #expect(link.witness.state.datagrams == sent)
        await fixture.stop()

        let deaf = try await Fixture(adjust: { $0.maximumDatagramFrameSize = 0 })
        let other = try await deaf.connect()
        await #expect(throws: QUICError.self) {
            try await other.run { connection, delegate in try delegate.send(datagram: [1], on: connection) }
        }
        #expect(try await other.run { connection, _ in connection.maximumDatagramSize } == 0)
        await deaf.stop()
    }

    @Test("With application flow control a stream stops at each window until that window is raised")
    func applicationFlowControl() async throws {
        let fixture = try await Fixture(adjust: { configuration in
            guard configuration.credentials == nil else {
                return
            }
            configuration.flowControl = .application
            configuration.streamReceiveWindow = 100_000
            configuration.connectionReceiveWindow = 150_000
        })
        let link = try await fixture.connect()
        let bytes = [UInt8](repeating: 9, count: 400_000)
        let stream = try await link.send(bytes)
        await link.witness.wait { $0.received[stream]?.count == 100_000 }
        // Nobody raises it, so a round trip with other data changes nothing.
        let other = try await link.send([1, 2], isFinished: true)
        await link.witness.wait { $0.finished.contains(other) }
        #expect(link.witness.state.received[stream]?.count == 100_000)

        #expect(try await link.run { connection, _ in connection.raiseReceiveLimit(stream: stream, to: 1_000_000) })
        await link.witness.wait { $0.received[stream]?.count == 150_000 - 2 }
        #expect(try await link.run { connection, _ in connection.raiseReceiveLimit(to: 1_000_000) })
        await link.witness.wait { $0.finished.contains(stream) }
        #expect(link.witness.state.received[stream] == bytes)
        await fixture.stop()
    }

    @Test("Addresses and statistics are there, and stay harmless after the end")
    func facts() async throws {
        let fixture = try await Fixture()
        let link = try await fixture.connect()
        let stream = try await link.send([UInt8](repeating: 1, count: 50_000))
        await link.witness.wait { $0.finished.contains(stream) }
        let peer = try await link.run { connection, _ in connection.peerAddress }
        #expect(peer == fixture.address)
        let local = try await link.run { connection, _ in connection.localAddress }
        #expect(local?.host == "127.0.0.1")
        let statistics = try await link.run { connection, _ in connection.statistics }
        #expect(statistics.bytesSent > 50_000)
        #expect(statistics.bytesReceived > 50_000)
        #expect(statistics.smoothedRoundTrip > .zero)
        #expect(statistics.minimumRoundTrip > .zero)
        #expect(statistics.congestionWindow > 0)
        #expect(statistics.packetsSent > 0)
        try await link.run { connection, _ in connection.close(code: 0) }
        await link.witness.wait { $0.closes.count == 1 }
        let bound = link.connection
        try await link.loop.run {
            let connection = bound.value
            #expect(!connection.isOpen)
            #expect(connection.statistics.bytesSent >= statistics.bytesSent)
            #expect(connection.statistics.bytesReceived >= statistics.bytesReceived)
            #expect(connection.peerAddress == peer)
            #expect(connection.localAddress == local)
            #expect(connection.applicationProtocol == nil)
            #expect(connection.serverName == nil)
            #expect(connection.maximumDatagramSize == 0)
            #expect(connection.streamCredit(isUnidirectional: true) == 0)
            #expect(connection.settleReceiving(stream: stream) == nil)
            #expect(!connection.raiseReceiveLimit(stream: stream, to: 1 << 40))
            #expect(!connection.raiseReceiveLimit(to: 1 << 40))
            connection.setDatagramPriority(1)
            connection.close(code: 1)
            let calls: [() throws -> Void] = [
                { _ = try connection.openStream(isUnidirectional: true, token: 1) },
                { try connection.reserve(stream: stream, token: 1) },
                { try connection.markActive(stream: stream) },
                { try connection.setPriority(1, stream: stream) },
                { try connection.reset(stream: stream, code: 1, token: 1) },
                { try connection.stopSending(stream: stream, code: 1, token: 1) },
                { try connection.markDatagramsReady() },
            ]
            for call in calls {
                let error = #expect(throws: QUICError.self) { try call() }
                #expect(error?.code == .connectionClosed)
            }
        }
        await fixture.stop()
    }
}
