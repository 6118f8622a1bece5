// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Testing
import WebTransport

// The main actor stands for the loop.
@Suite("Writing with await", .timeLimit(.minutes(1)))
@MainActor
struct AsyncWriteTests {
    private func makeSession(
        stream: (low: Int, high: Int) = (low: 100, high: 200),
        session: (low: Int, high: Int) = (low: 100_000, high: 200_000)
    ) -> FakeSession {
        var configuration = WebTransportConfiguration()
        configuration.streamLowWatermark = stream.low
        configuration.streamHighWatermark = stream.high
        configuration.sessionLowWatermark = session.low
        configuration.sessionHighWatermark = session.high
        return FakeSession(configuration)
    }

    private func token(of stream: SendStream, in session: FakeSession) throws -> StreamToken {
        try #require(session.backend.tokens[stream.id.rawValue])
    }

    /// The code of what `body` throws; nil when it throws nothing.
    private func failure(_ body: () async throws(WebTransportError) -> Void) async -> WebTransportError? {
        do throws(WebTransportError) {
            try await body()
            return nil
        } catch {
            return error
        }
    }

    @Test("with room a write does not suspend; above the high watermark it waits for the low one")
    func watermark() async throws {
        let session = self.makeSession()
        defer { session.close(code: 0, reason: "") }
        let stream = try session.openUnidirectionalStream(priority: .default)
        let token = try self.token(of: stream, in: session)
        var written = 0
        let writer = Task.immediate {
            for _ in 0..<3 {
                try? await stream.writeWhenWritable(Bytes([UInt8](repeating: 1, count: 100)))
                written += 1
            }
        }
        #expect(written == 2)
        #expect(session.statistics.waitsLive == 1)
        // Room that is not yet enough.
        _ = session.take(token, maximum: 50)
        await Task.yield()
        #expect(written == 2)
        _ = session.take(token, maximum: 50)
        await writer.value
        #expect(written == 3)
        #expect(session.statistics.waitsBegun == 1)
        #expect(session.statistics.waitsLive == 0)
    }

    @Test("many writers never have more queued than the watermark and one write, and all have their turn in order")
    func fairness() async throws {
        let session = self.makeSession(stream: (low: 500, high: 1_000), session: (low: 1_000, high: 2_000))
        defer { session.close(code: 0, reason: "") }
        let streams = try (0..<20).map { _ in try session.openUnidirectionalStream(priority: .default) }
        var turns: [Int] = []
        let writers = streams.indices.map { index in
            Task.immediate {
                for _ in 0..<10 {
                    try? await streams[index].writeWhenWritable(Bytes([UInt8](repeating: UInt8(index), count: 400)))
                    turns.append(index)
                }
                try? streams[index].finish()
            }
        }
        var idle = 0
        while turns.count < 200, idle < 1_000 {
            let before = turns.count
            for stream in streams where stream.queuedByteCount > 0 {
                _ = session.take(try self.token(of: stream, in: session), maximum: 300)
            }
            await Task.yield()
            idle = turns.count == before ? idle + 1 : 0
        }
        for writer in writers { await writer.value }
        #expect(session.statistics.maximumQueuedByteCount <= 2_000 + 400)
        #expect(turns.count == 200)
        // Nobody is passed over: everybody has written before anybody has written much.
        for index in streams.indices {
            let first = try #require(turns.firstIndex(of: index))
            #expect(first < 80)
        }
        #expect(session.statistics.waitsLive == 0)
    }

    @Test("a writer held back by its own queue leaves the session's room to another one")
    func roomIsPassedOn() async throws {
        let session = self.makeSession(stream: (low: 10, high: 200), session: (low: 250, high: 300))
        defer { session.close(code: 0, reason: "") }
        let first = try session.openUnidirectionalStream(priority: .default)
        let second = try session.openUnidirectionalStream(priority: .default)
        let filler = try session.openUnidirectionalStream(priority: .default)
        let piece = Bytes([UInt8](repeating: 1, count: 100))
        try first.write(piece)
        try filler.write(piece)
        try filler.write(piece)
        // The session is above, both wait for it; then the first one's own queue is filled by somebody who does not care.
        var order: [Int] = []
        let waits = [first, second].enumerated().map { index, stream in
            Task.immediate {
                try? await stream.waitUntilWritable()
                order.append(index)
            }
        }
        #expect(session.statistics.waitsLive == 2)
        try first.write(piece)
        _ = session.take(try self.token(of: filler, in: session), maximum: 200)
        await waits[1].value
        #expect(order == [1])
        _ = session.take(try self.token(of: first, in: session), maximum: 200)
        await waits[0].value
        #expect(order == [1, 0])
    }

    @Test("reset, stop, finish and the end of the session reach those who wait to write")
    func ends() async throws {
        let session = self.makeSession()
        let streams = try (0..<4).map { _ in try session.openUnidirectionalStream(priority: .default) }
        let waits = try streams.map { stream in
            try stream.write(Bytes([UInt8](repeating: 1, count: 300)))
            return Task.immediate {
                await self.failure { () async throws(WebTransportError) in try await stream.waitUntilWritable() }
            }
        }
        #expect(session.statistics.waitsLive == 4)
        streams[0].reset(code: 3)
        session.manager.peerStoppedSending(try self.token(of: streams[1], in: session), code: 4)
        try streams[2].finish()
        let expected: [(WebTransportError.Code, UInt64?)] = [
            (.streamClosed, 3), (.streamClosed, 4), (.streamClosed, nil),
        ]
        for (wait, expected) in zip(waits, expected) {
            let error = try #require(await wait.value)
            #expect(error.code == expected.0)
            #expect(error.wireCode == expected.1)
        }
        #expect(session.statistics.waitsLive == 1)
        session.close(code: 6, reason: "")
        let error = try #require(await waits[3].value)
        #expect(error.code == .sessionClosed)
        #expect(error.wireCode == 6)
        #expect(session.statistics.waitsLive == 0)
    }

    @Test("a cancelled wait ends promptly and lets the next one through")
    func cancellation() async throws {
        let session = self.makeSession()
        defer { session.close(code: 0, reason: "") }
        let stream = try session.openUnidirectionalStream(priority: .default)
        try stream.write(Bytes([UInt8](repeating: 1, count: 300)))
        let first = Task.immediate {
            await self.failure { () async throws(WebTransportError) in try await stream.waitUntilWritable() }
        }
        let second = Task.immediate {
            await self.failure { () async throws(WebTransportError) in try await stream.waitUntilWritable() }
        }
        await Task.detached { first.cancel() }.value
        #expect(await first.value?.code == .cancelled)
        // Cancelled between being woken and going on: the other one still has its turn.
        let third = Task.immediate {
            await self.failure { () async throws(WebTransportError) in try await stream.waitUntilWritable() }
        }
        _ = session.take(try self.token(of: stream, in: session), maximum: 300)
        second.cancel()
        #expect(await third.value == nil)
        _ = await second.value
        #expect(session.statistics.waitsLive == 0)
    }

    @Test("writing after the end says what and when")
    func misuse() throws {
        let session = self.makeSession()
        let finished = try session.openUnidirectionalStream(priority: .default)
        try finished.write(Bytes(utf8: "abc"))
        try finished.finish()
        let reset = try session.openUnidirectionalStream(priority: .default)
        reset.reset(code: 21)
        let stopped = try session.openUnidirectionalStream(priority: .default)
        session.manager.peerStoppedSending(try self.token(of: stopped, in: session), code: 22)
        let open = try session.openUnidirectionalStream(priority: .default)
        session.close(code: 23, reason: "gone")
        func error(_ body: () throws(WebTransportError) -> Void) -> String {
            do throws(WebTransportError) {
                try body()
                return "nothing was thrown"
            } catch {
                return error.description
            }
        }
        #expect(
            error { () throws(WebTransportError) in try reset.write([1]) }
                == "streamClosed: stream 6 was reset by this side (code 21)"
        )
        #expect(
            error { () throws(WebTransportError) in try stopped.finish() }
                == "streamClosed: the peer stopped stream 10 (code 22)"
        )
        #expect(
            error { () throws(WebTransportError) in try open.write([1]) }
                == "sessionClosed: writing to stream 14: the session was closed, code 23 \"gone\" (code 23)"
        )
        #expect(
            error { () throws(WebTransportError) in try session.sendDatagram([1]) }
                == "sessionClosed: sending a datagram: the session was closed, code 23 \"gone\" (code 23)"
        )
        #expect(
            error { () throws(WebTransportError) in _ = try session.openUnidirectionalStream(priority: .default) }
                == "sessionClosed: opening a stream: the session was closed, code 23 \"gone\" (code 23)"
        )

        let second = self.makeSession()
        defer { second.close(code: 0, reason: "") }
        let done = try second.openUnidirectionalStream(priority: .default)
        try done.write(Bytes(utf8: "abc"))
        try done.finish()
        #expect(
            error { () throws(WebTransportError) in try done.write([1]) }
                == "streamClosed: stream 2 was finished after 3 bytes"
        )
        #expect(
            error { () throws(WebTransportError) in try second.sendDatagram(Bytes([UInt8](repeating: 0, count: 1_001)))
            }
                == "datagramTooLarge: a datagram of 1001 bytes does not fit (limit 1000)"
        )
    }
}
