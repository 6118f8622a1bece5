// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Testing
import WebTransport

// The main actor stands for the loop.
@Suite("Waiting for a session", .timeLimit(.minutes(1)))
@MainActor
struct AsyncSessionTests {
    private func code(_ body: () async throws(WebTransportError) -> Void) async -> WebTransportError.Code? {
        do throws(WebTransportError) {
            try await body()
            return nil
        } catch {
            return error.code
        }
    }

    @Test("those who wait for streams go on one by one, as the peer allows it")
    func credit() async throws {
        let session = FakeSession()
        defer { session.close(code: 0, reason: "") }
        session.backend.credit = 1
        let first = try await session.openUnidirectionalStreamWhenAllowed(priority: .default)
        #expect(first.id.rawValue == 2)
        #expect(session.statistics.waitsBegun == 0)
        #expect(session.streamCredit(unidirectional: true) == 0)
        var opened: [Int] = []
        let openers = (0..<4).map { number in
            Task.immediate {
                _ = try? await session.openUnidirectionalStreamWhenAllowed(priority: .default)
                opened.append(number)
            }
        }
        #expect(session.backend.calls.last == .creditAwaited(unidirectional: true))
        session.backend.credit = 2
        session.manager.streamCreditChanged(unidirectional: true)
        await openers[0].value
        await openers[1].value
        // All four have asked, and the third one again when it found nothing left.
        while session.backend.calls.count(where: { $0 == .creditAwaited(unidirectional: true) }) < 5 {
            await Task.yield()
        }
        #expect(opened == [0, 1])
        #expect(session.statistics.waitsLive == 2)
        // The other kind is another matter.
        session.backend.credit = 1
        session.manager.streamCreditChanged(unidirectional: false)
        await Task.yield()
        #expect(opened == [0, 1])
        // One is cancelled in its turn, before it has looked: the next one has it.
        session.backend.credit = 0
        session.manager.streamCreditChanged(unidirectional: true)
        openers[2].cancel()
        await openers[2].value
        session.backend.credit = 1
        session.manager.streamCreditChanged(unidirectional: true)
        await openers[3].value
        #expect(opened.sorted() == [0, 1, 2, 3])
        #expect(session.statistics.streamsOpened == 4)
        #expect(session.statistics.waitsLive == 0)
    }

    @Test("the session's own bound on streams holds those who wait back as well")
    func ownBound() async throws {
        var configuration = WebTransportConfiguration()
        configuration.maximumOutgoingStreams = 1
        let session = FakeSession(configuration)
        defer { session.close(code: 0, reason: "") }
        let first = try session.openBidirectionalStream(priority: .default)
        #expect(session.streamCredit(unidirectional: true) == 0)
        let opener = Task.immediate {
            await self.code { () async throws(WebTransportError) in
                _ = try await session.openUnidirectionalStreamWhenAllowed(priority: .default)
            }
        }
        first.send.reset(code: 0)
        #expect(session.statistics.waitsLive == 1)
        first.receive.stopSending(code: 0)
        #expect(await opener.value == nil)
    }

    @Test("a draining session opens nothing, lets what is open finish, and says when")
    func drain() async throws {
        let session = FakeSession()
        defer { session.close(code: 0, reason: "") }
        #expect(
            await self.code { () async throws(WebTransportError) in try await session.waitUntilDrained() }
                == .invalidState
        )
        let stream = try session.openUnidirectionalStream(priority: .default)
        let token = try #require(session.backend.tokens[stream.id.rawValue])
        session.backend.credit = 0
        let opener = Task.immediate {
            await self.code { () async throws(WebTransportError) in
                _ = try await session.openUnidirectionalStreamWhenAllowed(priority: .default)
            }
        }
        session.drain()
        session.drain()
        #expect(session.backend.calls.filter { $0 == .drain }.count == 1)
        #expect(await opener.value == .sessionDraining)
        session.backend.credit = 9
        #expect(session.streamCredit(unidirectional: true) == 0)
        #expect(throws: WebTransportError.self) { try session.openBidirectionalStream(priority: .default) }
        let drained = Task.immediate {
            await self.code { () async throws(WebTransportError) in try await session.waitUntilDrained() }
        }
        try stream.write(Bytes(utf8: "still"))
        try stream.finish()
        #expect(session.take(token, maximum: 10).bytes == Array("still".utf8))
        #expect(session.statistics.waitsLive == 1)
        session.manager.streamDelivered(token)
        #expect(await drained.value == nil)
        // A session that ends with streams alive was not drained, one without was.
        session.close(code: 0, reason: "")
        #expect(await self.code { () async throws(WebTransportError) in try await session.waitUntilDrained() } == nil)
        let other = FakeSession()
        _ = try other.openUnidirectionalStream(priority: .default)
        other.drain()
        let undrained = Task.immediate {
            await self.code { () async throws(WebTransportError) in try await other.waitUntilDrained() }
        }
        other.close(code: 0, reason: "")
        #expect(await undrained.value == .sessionClosed)
    }

    @Test("the handler hears once that the peer drains, also when it is set late")
    func peerDrains() {
        let session = FakeSession()
        let recorder = Recorder()
        session.manager.peerIsDraining()
        #expect(recorder.events.isEmpty)
        session.handler = recorder
        session.manager.peerIsDraining()
        #expect(recorder.events == ["peer drains"])
        session.close(code: 0, reason: "")
    }

    @Test("ten thousand who wait all hear of the end, once each")
    func manyWaiters() async throws {
        var configuration = WebTransportConfiguration()
        configuration.maximumIncomingUnidirectionalStreams = 4_000
        configuration.streamHighWatermark = 10
        configuration.streamLowWatermark = 1
        let session = FakeSession(configuration)
        let recorder = Recorder()
        var incoming: [ReceiveStream] = []
        recorder.onOpen = { incoming.append($0) }
        session.handler = recorder
        for number in 0..<3_000 {
            let token = try #require(session.manager.acceptStream(StreamID(rawValue: UInt64(number) << 2 | 3)))
            session.deliver([1], on: token)
        }
        recorder.onOpen = nil
        let outgoing = try (0..<3_000).map { _ in try session.openUnidirectionalStream(priority: .default) }
        session.backend.credit = 0
        var tasks: [Task<WebTransportError.Code?, Never>] = []
        for stream in incoming {
            _ = await readOnce(stream)
            tasks.append(
                Task.immediate { await self.code { () async throws(WebTransportError) in _ = try await stream.read() } }
            )
        }
        for stream in outgoing {
            try stream.write(Bytes([UInt8](repeating: 1, count: 20)))
            tasks.append(
                Task.immediate {
                    await self.code { () async throws(WebTransportError) in try await stream.waitUntilWritable() }
                }
            )
        }
        for number in 0..<4_000 {
            tasks.append(
                Task.immediate {
                    await self.code { () async throws(WebTransportError) in
                        try await session.waitForStreamCredit(unidirectional: number % 2 == 0)
                    }
                }
            )
        }
        #expect(session.statistics.waitsLive == 10_000)
        session.close(code: 1, reason: "all of you")
        for task in tasks {
            let code = await task.value
            #expect(code == .sessionClosed)
        }
        #expect(session.statistics.waitsBegun == 10_000)
        #expect(session.statistics.waitsEnded == 10_000)
    }
}
