// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import PicoQuic
import Testing

@Suite("Calls that make no sense, over loopback sockets", .tags(.network), .timeLimit(.minutes(1)))
struct MisuseTests {
    private func complaint(
        _ link: Link,
        _ body: @escaping @Sendable (QUICConnection) throws -> Void
    ) async -> QUICError? {
        do {
            try await link.run { connection, _ in try body(connection) }
            return nil
        } catch {
            return error as? QUICError
        }
    }

    @Test("Sending after the end, after a reset, on the peer's stream and on none: each is told what is wrong")
    func sending() async throws {
        let fixture = try await Fixture()
        let link = try await fixture.connect()
        let finished = try await link.send([1], isFinished: true)
        await link.witness.wait { $0.finished.contains(finished) }
        let reset = try await link.send([1], isUnidirectional: true, isFinished: false)
        await fixture.serverWitness.wait { $0.received[reset]?.count == 1 }
        let (again, first) = try await link.run { connection, delegate in
            // Nothing is released within the call.
            let stream = try connection.openStream(isUnidirectional: false, token: delegate.makeToken())
            delegate.send([1], isFinished: true, stream: stream, on: connection)
            try connection.reset(stream: reset, code: 1, token: delegate.makeToken())
            do throws(QUICError) {
                try connection.markActive(stream: reset)
                return (stream, "")
            } catch {
                return (stream, "\(error.code): \(error)")
            }
        }
        #expect(first == "streamClosed: cannot send on stream \(reset): it has been reset")
        await link.witness.wait { $0.finished.contains(again) }

        let none = await self.complaint(link) { try $0.markActive(stream: 4_000) }
        #expect(none?.code == .streamClosed)
        #expect(none?.message == "cannot send on stream 4000: there is no such stream")
        await link.witness.wait { $0.released.contains(finished) }
        let released = await self.complaint(link) { try $0.markActive(stream: finished) }
        #expect(released?.message == "cannot send on stream \(finished): it is over")
        let theirs = await self.complaint(link) { try $0.markActive(stream: 3) }
        #expect(theirs?.message == "cannot send on stream 3: only the peer sends on it")
        let resetTheirs = await self.complaint(link) { try $0.reset(stream: 3, code: 0, token: 1) }
        #expect(resetTheirs?.message == "cannot reset stream 3: only the peer sends on it")
        let stopOurs = await self.complaint(link) { try $0.stopSending(stream: reset, code: 0, token: 1) }
        #expect(stopOurs?.message == "cannot stop stream \(reset): only this side sends on it")
        let priority = await self.complaint(link) { try $0.setPriority(3, stream: 4_000) }
        #expect(priority?.message == "cannot set the priority of stream 4000: there is no such stream")

        // None of it went to the peer, who would have ended the connection.
        let last = try await link.send([7])
        await link.witness.wait { $0.finished.contains(last) }
        await fixture.stop()
    }

    @Test("Sending after the end of the stream is told so")
    func sendingAfterTheEnd() async throws {
        let fixture = try await Fixture()
        let proxy = try UDPProxy(to: fixture.address.port)
        let link = try await fixture.connect(port: proxy.port)
        let open = try await link.send([1], isFinished: false)
        await link.witness.wait { $0.received[open]?.count == 1 }
        // Without acknowledgements the library keeps the stream.
        proxy.cut(true)
        try await link.run { connection, delegate in
            delegate.send([2], isFinished: true, stream: open, on: connection)
        }
        var error: QUICError?
        let end = ContinuousClock.now.advanced(by: .seconds(10))
        while error == nil, ContinuousClock.now < end {
            error = await self.complaint(link) { try $0.markActive(stream: open) }
        }
        #expect(error?.code == .streamClosed)
        #expect(error?.message == "cannot send on stream \(open): its end has been sent")
        await fixture.stop()
        proxy.stop()
    }

    @Test("Calls after the end say when and how it came")
    func afterTheEnd() async throws {
        let fixture = try await Fixture()
        let link = try await fixture.connect()
        let bound = link.connection
        try await link.loop.run {
            let connection = bound.value
            connection.close(code: 0x1f, reason: "done")
            let closing = #expect(throws: QUICError.self) {
                try connection.openStream(isUnidirectional: true, token: 1)
            }
            #expect(closing?.code == .connectionClosed)
            #expect(closing?.message == "cannot open a stream: the connection was closed here with code 0x1f")
        }
        await link.witness.wait { $0.closes.count == 1 }
        try await link.loop.run {
            let connection = bound.value
            #expect(connection.closeInfo?.kind == .local)
            let ended = #expect(throws: QUICError.self) { try connection.markDatagramsReady() }
            #expect(
                ended?.message
                    == "cannot send a datagram: the connection has ended (closed here, code 0x1f \"done\")"
            )
        }
        await fixture.serverWitness.wait { $0.closes.count == 1 }
        try await fixture.atServer { connection in
            let ended = #expect(throws: QUICError.self) { try connection.openStream(isUnidirectional: true, token: 1) }
            #expect(
                ended?.message
                    == "cannot open a stream: the connection has ended (closed by the peer, code 0x1f \"done\")"
            )
        }
        await fixture.stop()
    }

    @Test("A second start is told what the endpoint is doing instead")
    func starts() async throws {
        let endpoint = PicoQuicExecutor(configuration: QUICConfiguration(applicationProtocols: ["x"]))
        try await endpoint.start(on: .loopback(port: 0))
        let running = await #expect(throws: QUICError.self) { try await endpoint.start() }
        #expect(running?.code == .invalidState)
        #expect(running?.message == "cannot start the endpoint: it runs already")
        await endpoint.stop()
        let stopped = await #expect(throws: QUICError.self) { try await endpoint.start() }
        #expect(stopped?.message == "cannot start the endpoint: it has been stopped, and an endpoint is started once")
        let late = await #expect(throws: QUICError.self) {
            try await endpoint.connect(to: "127.0.0.1", port: 1) { _ in EchoDelegate(witness: Witness(), echoes: false)
            }
        }
        #expect(late?.code == .stopped)
    }
}
